"""The processors of this process: how many it was given, not those of the computer, and how they are kept busy."""

import ctypes
import math
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

_CGROUPS, _OWN_CGROUPS = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
_BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_M_ARENA_MAX = -8  # of malloc.h
_T = TypeVar("_T")
_END = object()


def available_processors() -> int:
    """Logical processors that this process may use: by its affinity and the quota of its container (control groups).

    At least 1. A quota of 2.5 processors counts as 3.
    """
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _container_quota(_CGROUPS, _OWN_CGROUPS)
    return allowed if quota is None else max(1, min(allowed, math.ceil(quota)))


def use_processors(threads: int | None = None) -> int:
    """Let ITK use no more than so many threads from now on, `available_processors` by default; returns their number.

    By itself ITK takes those of the whole computer, whatever a container grants.
    """
    import SimpleITK as sitk  # not before there is something to do

    threads = threads or available_processors()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
    return threads


def in_threads(function: Callable[..., _T], *arguments: Iterable) -> list[_T]:
    """`map` as a list, in as many threads as `use_processors` allows: for functions that spend their time in numpy,
    scipy and ITK, which let other threads run. The first error that one of them raises is raised here."""
    import SimpleITK as sitk

    calls = list(zip(*arguments, strict=False))
    threads = min(len(calls), sitk.ProcessObject.GetGlobalDefaultNumberOfThreads())
    if threads < 2:
        return [function(*call) for call in calls]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda call: function(*call), calls))


def at_once(*functions: Callable[[], Any]) -> list[Any]:
    """What the `functions` return that run at the same time, see `in_threads`."""
    return in_threads(lambda function: function(), functions)


def one_ahead(items: Iterator[_T]) -> Iterator[_T]:
    """The same `items`, of which the next one is made in another thread while one is used."""
    with ThreadPoolExecutor(1) as maker:
        coming = maker.submit(next, items, _END)
        while (item := coming.result()) is not _END:
            coming = maker.submit(next, items, _END)
            yield item


def prepare_process() -> None:
    """What is set once at the beginning of a process of its own, before numpy is imported and other threads start.

    Algebra runs in one thread: there is no product of matrices here that is large enough for several. And all threads
    take memory from one place. The C library of Linux gives each of them another one, and keeps there what that thread
    has freed: a fifth of all memory.
    """
    for name in _BLAS_THREADS:
        os.environ.setdefault(name, "1")
    if sys.platform == "linux":
        with suppress(AttributeError):  # musl knows no such thing
            ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def _container_quota(mount: Path, own: Path) -> float | None:
    """Processors that the control groups of this process grant, the strictest of all above it; None without a limit.

    `mount` is where the groups are (version 2, or 1), and the file `own` lists those of this process.
    """
    quotas = [quota for group in _groups(mount, own) if (quota := _quota_of(group)) is not None]
    return min(quotas, default=None)


def _groups(mount: Path, own: Path) -> Iterator[Path]:
    """The folders of the groups that may limit this process, those of version 1 in the folder of their controller.

    In a container `mount` shows its own group as the topmost one, and the paths in `own` need not lie below it.
    """
    yield from (mount, mount / "cpu")
    try:
        lines = own.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return
    for line in lines:
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if controllers and "cpu" not in controllers.split(","):
            continue
        below = PurePosixPath(path.lstrip("/"))
        yield from (mount / ("cpu" if controllers else "") / group for group in (below, *below.parents))


def _quota_of(group: Path) -> float | None:
    try:
        quota, period = (group / "cpu.max").read_text("ascii").split()
    except (OSError, ValueError):
        try:
            quota, period = ((group / f"cpu.cfs_{part}_us").read_text("ascii") for part in ("quota", "period"))
        except (OSError, ValueError):
            return None
    try:
        granted = float(quota) / float(period)  # "max" or -1: as much as there is
    except (ValueError, ZeroDivisionError):
        return None
    return granted if granted > 0 else None
