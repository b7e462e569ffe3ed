"""What workers do in the tests of work on a cluster; light, because each of them imports it."""

import os
import signal
import time
from pathlib import Path

from SpineInference.monitor import Monitor


def tell_process(item: Path, monitor: Monitor) -> tuple[int, dict]:
    import ray

    monitor.note(f"noted {item}")
    return os.getpid(), ray.get_runtime_context().get_assigned_resources()


def kill_node_once(item: Path, monitor: Monitor) -> str:
    """The first call for "victim" ends its node, as a power cut would, while the other node works."""
    with item.open("a") as file:
        file.write("x")
    if item.name == "victim" and item.read_text() == "x":
        time.sleep(0.5)
        for process in (os.getppid(), os.getpid()):
            os.kill(process, signal.SIGKILL)
    time.sleep(0.2)
    return item.read_text()


def die(item: str, monitor: Monitor) -> str:
    if item == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    return item


def until_stopped(item: Path, monitor: Monitor) -> None:
    item.write_text("begun")
    while True:
        monitor.check()
        time.sleep(0.05)
