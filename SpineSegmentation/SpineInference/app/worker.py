"""The worker: requests in on standard input, JSON lines of progress out, one result folder per request.

    python -m SpineInference.app.worker [--keep-alive]

A request is one line of JSON (see `requests.Request`). Every line of standard output is a JSON object with "event":

    progress   stage, done, total, plane, seconds_left
    note       text: a sentence for the user
    result     record: the path of the record of the result (see `record.Record`)
    error      message: the sentence for the user; details: a traceback if this should never have happened, or null
    cancelled

Without --keep-alive the process ends after one request: exit code 0 for a result, 2 for a request or scan that cannot
be used, 1 for an unexpected failure. With --keep-alive it waits for the next request, with the networks still open,
and ends with 0 when standard input closes.

Closing standard input while a request is carried out means Cancel, and so does a signal. The process then removes its
temporary files and the request's own folder, says "cancelled" and ends itself with all its children, whatever they are
doing (on POSIX by SIGKILL).
"""

import argparse
import dataclasses
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

from ..errors import Cancelled, SpineError
from ..files.temporary import adopt, give_back, remove_all
from ..monitor import Monitor, Progress
from ..processors import prepare_process
from .process_group import end_group, lead_group, on_signal, read_lines
from .requests import Request, read_request
from .runner import Runner, WrittenResult

MAX_REQUEST_BYTES = 1_000_000

Run = Callable[[Request, Monitor], WrittenResult]
Answer = Callable[[bytes, Monitor], dict[str, Any]]
"""From one line of standard input to the fields of the "result" event. Raises SpineError and Cancelled."""


def main(arguments: list[str] | None = None, run: Run | None = None) -> int:
    """Serve requests until there are no more. Returns the exit code; a cancelled worker does not return."""
    parser = argparse.ArgumentParser(
        prog="python -m SpineInference.app.worker",
        description="Reads requests as lines of JSON, reports progress as lines of JSON.",
    )
    parser.add_argument("--keep-alive", action="store_true", help="wait for further requests, with the model loaded")
    keep_alive = parser.parse_args(arguments).keep_alive
    carry_out = run or Runner().run

    def answer(line: bytes, monitor: Monitor) -> dict[str, Any]:
        request = read_request(line)
        adopt(request.own_folder)
        return {"record": str(carry_out(request, monitor).record_path)}

    return serve(answer, keep_alive)


def serve(answer: Answer, keep_alive: bool) -> int:
    """Answer the lines of standard input as described above; returns the exit code. Other workers use it too."""
    lead_group()
    prepare_process()
    worker = Worker(answer, _take_standard_output())
    on_signal(worker.cancel)
    threading.Thread(target=worker.listen, daemon=True, name="standard input").start()
    return worker.serve(keep_alive)


class Worker:
    """Carries out requests in the main thread while another thread listens for more and for the end."""

    def __init__(self, answer: Answer, output: int):
        self._answer = answer
        self._output = output
        self._writing = threading.Lock()
        self._requests: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._unfinished = 0
        self._counting = threading.Lock()
        self._cancelled = threading.Event()
        self._ending = threading.Lock()

    def listen(self) -> None:
        """Pass the lines of standard input on. Its end is Cancel while there is work, and a normal end otherwise."""
        for line in read_lines(0, MAX_REQUEST_BYTES):
            if line.strip():
                self._count(+1)
                self._requests.put(line)
        if self._count(0):
            self.cancel()
        self._requests.put(None)

    def serve(self, keep_alive: bool) -> int:
        """Carry out one request, or with `keep_alive` all; returns the exit code."""
        exit_code = 0
        while (line := self._requests.get()) is not None:
            try:
                exit_code = self._carry_out(line)
            except Cancelled:
                self.cancel()
            if not keep_alive:
                return exit_code
        return 0

    def cancel(self) -> None:
        """End this process and its children now, leaving nothing half-finished. Never returns; for any thread."""
        self._cancelled.set()
        self._ending.acquire()  # never released: whoever comes second waits here for the end
        remove_all()
        # The pipe may be full and nobody reading it any more: the last event must not keep the process alive.
        cancel_event = threading.Thread(target=self._write, args=({"event": "cancelled"},), daemon=True)
        cancel_event.start()
        cancel_event.join(timeout=0.5)
        end_group()

    def _carry_out(self, line: bytes) -> int:
        monitor = Monitor(self._on_progress, self._on_note, self._cancelled.is_set)
        try:
            result = self._answer(line, monitor)
        except SpineError as error:
            exit_code, event = 2, {"event": "error", "message": str(error), "details": None}
        except Cancelled:
            raise
        except Exception as error:
            sentence = f"SpineSegmentation failed unexpectedly ({type(error).__name__}: {error}): please report it."
            exit_code, event = 1, {"event": "error", "message": sentence, "details": traceback.format_exc()}
        else:
            exit_code, event = 0, {"event": "result", **result}
        # From here on closing standard input is no longer Cancel: whoever reads the event may do it at once.
        self._count(-1)
        self._send(event)
        give_back()  # not earlier: of a Slicer that has crashed meanwhile nobody removes the folder
        return exit_code

    def _on_progress(self, progress: Progress) -> None:
        self._send({"event": "progress", **dataclasses.asdict(progress)})

    def _on_note(self, text: str) -> None:
        self._send({"event": "note", "text": text})

    def _send(self, event: dict) -> None:
        if self._cancelled.is_set():
            raise Cancelled  # what happens from now on is a consequence of ending, and no news
        try:
            self._write(event)
        except OSError:
            raise Cancelled from None  # nobody reads any more

    def _write(self, event: dict) -> None:
        # ASCII, so that no reader can get the encoding wrong.
        line = json.dumps(event).encode("ascii") + b"\n"
        with self._writing:
            while line:
                line = line[os.write(self._output, line) :]

    def _count(self, change: int) -> int:
        with self._counting:
            self._unfinished += change
            return self._unfinished


def _take_standard_output() -> int:
    """A private descriptor for the JSON lines; what libraries print, natively too, goes to standard error instead."""
    sys.stdout.flush()
    private = os.dup(1)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return private


if __name__ == "__main__":
    sys.exit(main())
