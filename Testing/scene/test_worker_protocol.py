"""The lines of a worker are understood however they are cut, and every way it can end becomes one answer."""

import json

import pytest

from SpineInference.errors import Cancelled, SpineError
from SpineSegmentationLib.worker.WorkerProtocol import UnexpectedError, WorkerProtocol

PROGRESS = {"event": "progress", "stage": "network", "done": 3, "total": 9, "plane": "axial", "seconds_left": 1.5}
RESULT = {"event": "result", "folder": "f", "files": {}, "segments": [], "seconds": 2.0}


class Listener:
    def __init__(self):
        self.progress, self.text = [], []
        self.protocol = WorkerProtocol(self.progress.append, self.text.append)

    def hear(self, *events: dict) -> WorkerProtocol:
        self.protocol.receiveOutput(b"".join(json.dumps(event).encode() + b"\n" for event in events))
        return self.protocol


@pytest.fixture
def listener() -> Listener:
    return Listener()


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_lines_are_joined_from_chunks_of_any_size(listener, size):
    events = [PROGRESS, {"event": "note", "text": "slices of 4 mm – thick"}, PROGRESS, RESULT]
    data = "\r\n".join(json.dumps(event, ensure_ascii=False) for event in events).encode() + b"\n"
    for start in range(0, len(data), size):
        listener.protocol.receiveOutput(data[start : start + size])
    assert listener.progress == [PROGRESS, PROGRESS]
    assert listener.text == ["slices of 4 mm – thick"]
    assert listener.protocol.result(0) == RESULT


def test_last_line_without_newline_counts(listener):
    listener.protocol.receiveOutput(json.dumps(RESULT).encode())
    listener.protocol.receiveErrorOutput(b"half a line")
    assert not listener.protocol.isAnswered
    listener.protocol.end()
    assert listener.protocol.isAnswered
    assert listener.protocol.result(0) == RESULT
    assert listener.text == ["half a line"]


@pytest.mark.parametrize("line", [b"no JSON\n", b"[1]\n", b'"text"\n', b'{"no": "event"}\n', b"7\n"])
def test_unknown_output_goes_to_the_log(listener, line):
    listener.protocol.receiveOutput(line)
    assert listener.text == [line.decode().strip()]


def test_invalid_utf8_does_not_stop_the_log(listener):
    listener.protocol.receiveErrorOutput(b"caf\xe9\n\n")
    assert listener.text == ["caf\ufffd"]


@pytest.mark.parametrize(("details", "kind"), [(None, SpineError), ("Traceback ...", UnexpectedError)])
def test_error_event_is_raised_with_its_details(listener, details, kind):
    error = {"event": "error", "message": "this sentence is for the user", "details": details}
    with pytest.raises(SpineError, match=r"^this sentence is for the user$") as raised:
        listener.hear(PROGRESS, error).result(1)
    assert type(raised.value) is kind
    assert getattr(raised.value, "details", None) == details


def test_cancelled(listener):
    with pytest.raises(Cancelled):
        listener.hear({"event": "cancelled"}).result(9)


def test_died_worker_is_an_unexpected_error(listener):
    listener.protocol.receiveErrorOutput(b"Segmentation fault\n")
    with pytest.raises(UnexpectedError, match="exit code 139") as raised:
        listener.hear(PROGRESS).result(139)
    assert raised.value.details == "Segmentation fault"
