"""Out of memory is one sentence with what was needed, whichever library runs out."""

import re

import numpy as np
import pytest

from SegTraining.cli import main
from SpineInference.app.requests import Request
from SpineInference.app.runner import Runner
from SpineInference.errors import SpineError
from SpineInference.memory import enough_memory
from SpineInference.monitor import Monitor


@pytest.mark.parametrize(
    ("error", "amount"),
    [
        (MemoryError("Unable to allocate 89.4 GiB for an array with shape (30000, 400, 2000)"), "89.4 GiB"),
        (MemoryError(), ""),
        (RuntimeError("Failed to allocate memory for requested buffer of size 2147483648"), "2 GiB"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4294967296 bytes."), "4 GiB"),
        (RuntimeError("ITK ERROR: Image(0x1): Failed to allocate memory for image."), ""),
        (RuntimeError("std::bad_alloc"), ""),
    ],
)
def test_one_sentence_with_the_amount(error, amount):
    with pytest.raises(SpineError) as caught, enough_memory("scan.nii"):
        raise error
    message = str(caught.value)
    assert (
        message.startswith("scan.nii: there is not enough memory") and message.endswith(".") and "report" not in message
    )
    assert (re.search(r"asks for ([\d.]+ GiB)", message) or ["", ""])[1] == amount


def test_training_says_it_too(monkeypatch, tmp_path, capsys):
    def run(_: object) -> None:
        np.empty((1 << 46,), np.float64)

    monkeypatch.setattr("SegTraining.commands.phantom.run", run)
    assert main(["phantom", str(tmp_path)]) == 2
    assert "phantom: there is not enough memory" in capsys.readouterr().err


def test_other_errors_stay():
    with pytest.raises(RuntimeError, match="no such operator"), enough_memory("scan.nii"):
        raise RuntimeError("no such operator")


def test_a_run_that_needs_too_much(monkeypatch, tmp_path):
    def read(*_: object) -> None:
        np.empty((1 << 46,), np.float64)

    monkeypatch.setattr("SpineInference.files.reading.read_volume", read)
    with pytest.raises(SpineError, match=r"scan.nii: .* asks for 512\. TiB"):
        Runner().run(Request(input="scan.nii", output=str(tmp_path / "out")), Monitor())
