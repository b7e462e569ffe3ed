"""How many processors this process may use: not those of the computer, but those that it was given."""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def available_processors() -> int:
    """Logical processors that this process may use: by its affinity and the quota of its container (control groups).

    At least 1. A quota of 2.5 processors counts as 3.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _container_quota(_CGROUP)
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def _container_quota(root: Path) -> float | None:
    """Processors that the control group mounted at `root` grants (version 2, else 1); None without a limit."""
    try:
        quota, period = (root / "cpu.max").read_text("ascii").split()
    except (OSError, ValueError):
        try:
            quota, period = ((root / "cpu" / f"cpu.cfs_{part}_us").read_text("ascii") for part in ("quota", "period"))
        except (OSError, ValueError):
            return None
    try:
        granted = float(quota) / float(period)  # "max" or -1: as much as there is
    except (ValueError, ZeroDivisionError):
        return None
    return granted if granted > 0 else None
