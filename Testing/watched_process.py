"""Runs a program to its end, or to a time limit, and says which processes it left behind."""

import os
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

EXIT_GRACE_S = 8.0
"""How long processes may outlive the program before they count as left behind."""
_DISPLAY = "Xvfb"
"""The display of a program that was killed may wait longer; it is none of the program's processes."""


@dataclass(frozen=True)
class FinishedProcess:
    """How a program finished. `exit_code` is None at the time limit; `surviving_processes` holds command lines."""

    exit_code: int | None
    output: str
    seconds: float
    surviving_processes: list[str]
    remaining_files: list[str]


def run_watched(
    command: list[str | Path], log: Path, folder: Path, time_limit_s: float, kill_at: Path | None = None
) -> FinishedProcess:
    """Run `command` in `folder`, with all output in `log` and its temporary files in the folder's `tmp`.

    Models are imported into the folder's `user`: those of the person who runs this neither help nor suffer.

    When the file `kill_at` appears, the process whose number is in it is killed, as a crash would end it. Whatever the
    end, no process of the program is alive afterwards. `remaining_files` names what of the project stayed in `tmp`.
    """
    temporary = folder / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {name: str(temporary) for name in ("TMPDIR", "TEMP", "TMP")}
    environment["XDG_DATA_HOME"] = str(folder / "user")
    started = time.monotonic()
    family: set[psutil.Process] = set()
    exit_code = None
    with log.open("wb") as file:
        process = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
            env=environment,
            cwd=folder,
        )
        program = psutil.Process(process.pid)
        try:
            while time.monotonic() - started < time_limit_s:
                family |= _children(program)
                if kill_at is not None and kill_at.is_file() and kill_at.read_text().strip():
                    _kill({psutil.Process(int(kill_at.read_text()))})
                    kill_at = None
                try:
                    exit_code = process.wait(0.2)
                    break
                except subprocess.TimeoutExpired:
                    continue
            seconds = time.monotonic() - started
            survivors = [] if exit_code is None else [_command_line(each) for each in _survivors(family)]
            surviving_processes = [line for line in survivors if not line.startswith(_DISPLAY)]
        finally:
            _kill(family | {program})
            process.wait()
    remaining_files = sorted(path.name for path in temporary.glob("SpineSegmentation*"))
    return FinishedProcess(
        exit_code, log.read_text("utf-8", errors="replace"), seconds, surviving_processes, remaining_files
    )


def _children(program: psutil.Process) -> set[psutil.Process]:
    try:
        return set(program.children(recursive=True))
    except psutil.NoSuchProcess:
        return set()


def _survivors(processes: set[psutil.Process]) -> set[psutil.Process]:
    """Those that are alive after a while. One that has finished but that nobody has waited for is not alive."""
    deadline = time.monotonic() + EXIT_GRACE_S
    while (alive := {each for each in processes if _is_alive(each)}) and time.monotonic() < deadline:
        time.sleep(0.1)
    return alive


def _is_alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _command_line(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())[:200]
    except psutil.Error:
        return f"process {process.pid}"


def _kill(processes: set[psutil.Process]) -> None:
    for process in processes:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
