"""Shows people how long work gets on: what SegTraining logs, as plain lines."""

import logging
import sys

_LOGGER = logging.getLogger(__package__.partition(".")[0])


class _Console(logging.Handler):
    """Prints to the standard output of the moment, which may be redirected; from warnings on to standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            stream = sys.stdout if record.levelno < logging.WARNING else sys.stderr
            print(self.format(record), file=stream, flush=True)
        except Exception:
            self.handleError(record)  # whoever has closed the terminal does not want to end the work


def show_progress() -> None:
    """Show the progress of whatever this process does from now on. A second call changes nothing."""
    if not progress_is_shown():
        _LOGGER.addHandler(_Console())
        _LOGGER.setLevel(logging.INFO)


def progress_is_shown() -> bool:
    """Whether `show_progress` was called in this process; processes that it starts need a call of their own."""
    return any(isinstance(handler, _Console) for handler in _LOGGER.handlers)
