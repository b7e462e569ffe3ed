"""Runs the tasks of an experiment on this computer, one after the other, each in a process of its own.

A process that ends gives back its memory and its threads, and one that crashes takes no other along. It leads a group
with whatever it starts, which ends with this process, however that happens.
"""

import multiprocessing
import os
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from multiprocessing.connection import Connection

from SpineInference.app.process_group import end_group, lead_group

from .task import Task, TaskOutcome, run_task

_EXIT_SECONDS = 30
"""What a process that has done its task is given to clean up after itself."""


def run_locally(tasks: Sequence[Task], on_outcome: Callable[[TaskOutcome], None]) -> None:
    """The executor (see `task`) for one computer. Interrupted, it ends what is running."""
    for task in tasks:
        on_outcome(_in_child(task))


def _in_child(task: Task) -> TaskOutcome:
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    parent_alive, kept_open = context.Pipe(duplex=False)
    child = context.Process(target=_child, args=(task, sender, parent_alive), name=task.name)
    child.start()
    sender.close()
    parent_alive.close()
    try:
        outcome = receiver.recv()
        child.join(_EXIT_SECONDS)
        return outcome
    except EOFError:
        child.join()
        return TaskOutcome(
            task.name, 0.0, error=f'Its process has ended with code {child.exitcode} (see "{task.log}").'
        )
    finally:
        kept_open.close()
        child.join()


def _child(task: Task, sender: Connection, parent_alive: Connection) -> None:
    lead_group()
    threading.Thread(target=_end_with_parent, args=(parent_alive,), daemon=True).start()
    with suppress(OSError):  # then `run_task` says why
        _write_to(task)
    sender.send(run_task(task))
    sender.close()


def _end_with_parent(parent_alive: Connection) -> None:
    with suppress(EOFError, OSError):
        parent_alive.recv()
    end_group()


def _write_to(task: Task) -> None:
    """Send to the log what libraries print past Python."""
    task.log.parent.mkdir(parents=True, exist_ok=True)
    with task.log.open("a", encoding="utf-8") as file:
        for descriptor in (1, 2):
            os.dup2(file.fileno(), descriptor)
