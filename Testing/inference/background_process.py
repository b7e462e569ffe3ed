"""A background task as the panel sends it: a real process, one line in, JSON lines out."""

import json
import subprocess
import sys


def start() -> subprocess.Popen:
    """The process, waiting for its line."""
    command = [sys.executable, "-m", "SpineInference.app.background_tasks"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def send(line: str) -> dict:
    """The last event of the process for one line of input, which stays open: closing it would be Cancel."""
    with start() as process:
        process.stdin.write(line + "\n")
        process.stdin.flush()
        return json.loads(process.stdout.read().splitlines()[-1])
