"""Many scans: from what was typed to requests with folders and reference masks, and from there to a cluster."""

import functools
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import NotAScan, SpineError
from ..files.reading import find_scans, read_volume, scan_name
from ..models.catalog import absolute
from ..monitor import Monitor
from .cluster import Cluster, Finished, Needs
from .requests import Request
from .runner import Runner, WrittenResult

_FIRST_CHANNEL = "_0000"
"""nnU-Net ends the names of its images with the number of the channel; those of its masks have none."""

_MOST_THREADS = 4
"""On a node with more cores several scans at a time make better use of them."""
_MEMORY_GB = 4.0
"""Of main memory for one scan: those of 512 x 512 x 240 voxels have been seen to take somewhat more than 2 GB."""


def plan(
    scans: Sequence[str], output: str, reference: str | None, labels: str | None, template: Request
) -> tuple[list[Request], list[SpineError]]:
    """One request like `template` for every scan that `scans` stand for, and what is wrong with the others.

    `output` gets a folder for each scan, named after it; further scans of the same name get _2, _3, ... appended.
    Raises SpineError when `reference` or `labels` cannot be used for the scans.
    """
    found, failures = [], []
    for scan in scans:
        try:
            found += find_scans(scan)
        except SpineError as error:
            failures.append(error)
    masks, label_maps = _Masks(reference, "reference mask", len(found)), _Masks(labels, "label map", len(found))
    requests, taken = [], set()
    for scan in found:
        name = _unique(scan_name(scan), taken)
        request = replace(template, input=str(scan), output=str(Path(output, name)))
        try:
            requests.append(replace(request, reference=masks.of(scan), labels=label_maps.of(scan)))
        except SpineError as error:
            if _is_no_scan(scan):
                requests.append(request)  # carrying it out says so
            else:
                failures.append(error)
    return requests, failures


def found_in_folder(request: Request, scans: Sequence[str]) -> bool:
    """Whether its scan was found in a folder, so that nobody has said that it is one."""
    return Path(request.input) not in map(Path, scans)


def segment_on_cluster(cluster: Cluster, requests: Mapping[str, Request], monitor: Monitor) -> Iterator[Finished]:
    """Carry out sound `requests` with the same options in `cluster`; the results are instances of `WrittenResult`.

    Each takes as many processor cores as threads, and a GPU where nodes have some and the request allows it. Raises
    SpineError when the cluster cannot be used, and Cancelled.
    """
    any_request = next(iter(requests.values()))
    device = any_request.options.device
    if device.startswith("cuda:"):
        raise SpineError(f"a cluster hands out its GPUs itself: use --device auto, cuda or cpu, not {device}.")
    threads = any_request.options.threads or max(1, min(_MOST_THREADS, int(cluster.most("CPU"))))
    gpus = int(device == "cuda" or (device == "auto" and cluster.most("GPU") >= 1))
    items = {name: _anywhere(request, threads) for name, request in requests.items()}
    return cluster.map_unordered(_run, items, Needs(threads, _MEMORY_GB, gpus), monitor, "scans")


def _anywhere(request: Request, threads: int) -> Request:
    """The same request for a process with another working folder, and so many `threads`."""
    return replace(
        request,
        input=os.path.abspath(request.input),
        output=os.path.abspath(request.output),
        options=replace(request.options, model=absolute(request.options.model), threads=threads),
        reference=request.reference and os.path.abspath(request.reference),
        labels=request.labels and os.path.abspath(request.labels),
    )


@functools.cache
def _runner() -> Runner:
    return Runner()


def _run(request: Request, monitor: Monitor) -> WrittenResult:
    """On a worker, whose networks stay open for the next scan."""
    return _runner().run(request, monitor)


class _Masks:
    """Masks of scans: one file for the only scan, a folder with files of the scans' names, or none.

    `what` they are called in messages. Raises SpineError for one file and several `scans`, and for two files of a scan.
    """

    def __init__(self, given: str | None, what: str, scans: int):
        self._given, self._what = given, what
        self._by_name: dict[str, Path] | None = None
        if given is None:
            return
        if Path(given).is_dir():
            self._by_name = {}
            for path in find_scans(given):
                other = self._by_name.setdefault(scan_name(path).removesuffix(".seg"), path)
                if other != path:
                    raise SpineError(f"{other} and {path.name} are masks of one scan: remove one of them.")
        elif scans > 1:
            raise SpineError(
                f"there are {scans} scans but only one {what} ({given}): give a folder that holds a {what} with the "
                "name of each scan."
            )

    def of(self, scan: Path) -> str | None:
        """The path of the mask of `scan`, if any were given. Raises SpineError where it is missing."""
        if self._by_name is None:
            return self._given
        name = scan_name(scan)
        for candidate in (name, name.removesuffix(_FIRST_CHANNEL)):
            if candidate in self._by_name:
                return str(self._by_name[candidate])
        raise SpineError(
            f"{scan}: the folder {self._given} holds no {self._what} named {name}, add it or leave it out."
        )


def _is_no_scan(path: Path) -> bool:
    try:
        read_volume(path)
    except NotAScan:
        return True
    except SpineError:
        return False
    return False


def _unique(name: str, taken: set[str]) -> str:
    """`name`, or `name` with a number, that no other scan has; file systems may not tell upper from lower case."""
    number, chosen = 1, name
    while chosen.casefold() in taken:
        number += 1
        chosen = f"{name}_{number}"
    taken.add(chosen.casefold())
    return chosen
