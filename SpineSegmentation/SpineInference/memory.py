"""Running out of memory, in one sentence, whichever library it happens to."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import SpineError

_WORDS = ("bad_alloc", "failed to allocate", "unable to allocate", "can't allocate memory", "not enough memory")
_WANTED = re.compile(r"allocate ([\d.]+ [KMGTPE]?i?B)\b|(?:of size|allocate) (\d+)")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether `error` says that the memory of the computer is used up; libraries have several words for it."""
    words = str(error).lower()
    told = isinstance(error, SpineError | KeyboardInterrupt)
    return isinstance(error, MemoryError) or (not told and any(part in words for part in _WORDS))


@contextmanager
def enough_memory(what: object) -> Iterator[None]:
    """Make a SpineError, which begins with `what` the memory was for, of an error that memory has run out."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise SpineError(
            f"{what}: there is not enough memory for it{_wanted(str(error))}: close other programs, crop the scan, or "
            "use a computer with more memory."
        ) from error


def _wanted(words: str) -> str:
    """What the library has asked for in vain, if it says so."""
    match = _WANTED.search(words)
    if match is None:
        return ""
    amount = match[1] or f"{int(match[2]) / 2**30:.3g} GiB"
    return f" (one step asks for {amount})"
