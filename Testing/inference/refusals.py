"""What a person reads about a file that cannot be used."""

from pathlib import Path

import pytest

from SpineInference.errors import SpineError
from SpineInference.files.reading import read_volume


def refuse(path: Path, *words: str) -> None:
    """Reading `path` must fail with one sentence that names the file and holds all `words`."""
    with pytest.raises(SpineError) as caught:
        read_volume(path)
    message = str(caught.value)
    assert path.stem in message and message.endswith(".") and "\n" not in message
    for word in words:
        assert word in message
