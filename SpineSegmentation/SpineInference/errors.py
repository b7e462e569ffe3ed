"""What a person may be told: errors of one sentence, and the cancellation signal."""


class SpineError(Exception):
    """Something a user can act on. The message is one sentence: what is wrong, with what, what to do."""


class Implausible(SpineError):
    """What a model finds in a scan cannot be what it was made to find."""


class Cancelled(Exception):
    """The user (or the application that started the run) asked to stop."""
