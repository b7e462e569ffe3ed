"""Runs the worker on one request, as Slicer does: JSON lines through pipes, Cancel by closing its standard input."""

import json
import subprocess
import sys
from collections.abc import Callable

from SpineInference.app.requests import Request, to_json
from SpineInference.errors import SpineError


def run_worker(request: Request, on_event: Callable[[dict], None]) -> dict:
    """The "result" event of a request; all events before it go to `on_event`.

    Raises SpineError with the worker's own sentence, or with the end of what it printed if it died.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", "SpineInference.app.worker"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    result = None
    # Leaving the block closes standard input, which also ends a worker that is still at work.
    with process:
        process.stdin.write(to_json(request) + "\n")
        process.stdin.flush()
        for line in process.stdout:
            event = json.loads(line)
            if event["event"] == "error":
                raise SpineError(event["message"])
            if event["event"] == "result":
                result = event
            else:
                on_event(event)
    if result is None:
        raise SpineError(f"the worker ended without a result (exit code {process.returncode}): see its messages above.")
    return result
