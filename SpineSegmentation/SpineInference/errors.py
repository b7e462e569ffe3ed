"""What a person may be told: errors of one sentence, and the cancellation signal."""

from collections.abc import Iterator
from contextlib import contextmanager


class SpineError(Exception):
    """Something a user can act on. The message is one sentence: what is wrong, with what, what to do."""


class NotAScan(SpineError):
    """What lies there is no scan: a mistake where somebody has named it, and passed over in a folder of scans."""


class Implausible(SpineError):
    """What a model finds in a scan cannot be what it was made to find."""


class Cancelled(Exception):
    """The user (or the application that started the run) asked to stop."""


@contextmanager
def about(what: object) -> Iterator[None]:
    """Let the message of a SpineError from the block begin with `what` it is about, such as the path of a file."""
    try:
        yield
    except SpineError as error:
        raise type(error)(f"{what}: {error}") from error.__cause__
