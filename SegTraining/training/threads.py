"""How many processor threads a training takes on the CPU where its configuration does not say it.

The threads of a step wait for each other hundreds of times. Beside other work, one of them that is not given a
processor holds up all, the more so as the others keep theirs busy while they wait: with two threads on two busy
processors a training was seen to take seven times as long as with one. So the default are the processors that are idle
at the beginning of an epoch, at least one, and threads that wait sleep (`let_waiting_threads_sleep`).
"""

import os
import time
from pathlib import Path

from SpineInference.processors import available_processors

_STATISTICS = Path("/proc/stat")
_WATCHED_SECONDS = 0.25


def let_waiting_threads_sleep() -> None:
    """Tell OpenMP so, unless the environment says otherwise; before torch is imported, which reads it once."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def threads_for(wish: int | None, deterministic: bool) -> int:
    """The threads of an epoch: as many as are wished, else one where sums must not depend on how they are shared out,
    else as many as there are idle processors."""
    if wish is not None:
        return wish
    return 1 if deterministic else max(1, min(available_processors(), idle_processors()))


def idle_processors() -> int:
    """Of the computer, now: by what they do for a quarter of a second, else by the load of the last minute."""
    count = os.cpu_count() or 1
    before = _idle_and_total()
    if before is None:
        return count - round(os.getloadavg()[0]) if hasattr(os, "getloadavg") else count
    time.sleep(_WATCHED_SECONDS)
    idle, total = (after - earlier for after, earlier in zip(_idle_and_total(), before, strict=True))
    return round(count * idle / total) if total > 0 else count


def _idle_and_total() -> tuple[int, int] | None:
    """Ticks that all processors together have been idle and have been running; None where Linux does not tell it."""
    try:
        fields = _STATISTICS.read_text("ascii").split(maxsplit=9)[1:9]  # user, nice, system, idle, iowait, ... steal
        ticks = [int(field) for field in fields]
    except (OSError, ValueError):
        return None
    return ticks[3] + ticks[4], sum(ticks)
