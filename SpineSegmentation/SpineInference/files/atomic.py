"""A file is there whole, or not at all: written aside, then renamed."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ..errors import SpineError


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """A path beside `path`, with the same (double) suffix, that takes its place once the block has succeeded.

    When the block fails, what it has written is removed and a file that was at `path` before stays as it was.
    Raises SpineError when the operating system refuses to write.
    """
    path = Path(path)
    # A short name of its own: the name of the scan could already be as long as a file system allows.
    temporary = path.with_name(f".writing-{uuid.uuid4().hex[:8]}{''.join(path.suffixes[-2:])}")
    try:
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise SpineError(f"{path}: the file cannot be written ({error.strerror or error}).") from error
    finally:
        with suppress(OSError):  # it was renamed, or could not even be made
            temporary.unlink()
