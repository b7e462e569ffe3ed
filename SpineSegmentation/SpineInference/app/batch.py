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
    scans: Sequence[str], output: str, reference: str | None, template: Request
) -> tuple[list[Request], list[SpineError]]:
    """One request like `template` for every scan that `scans` stand for, and what is wrong with the others.

    `output` gets a folder for each scan, named after it; further scans of the same name get _2, _3, ... appended.
    Raises SpineError when `reference` cannot be used for the scans.
    """
    found, failures = [], []
    for scan in scans:
        try:
            found += find_scans(scan)
        except SpineError as error:
            failures.append(error)
    masks = _masks(reference, len(found))
    requests, taken = [], set()
    for scan in found:
        name = _unique(scan_name(scan), taken)
        request = replace(template, input=str(scan), output=str(Path(output, name)))
        try:
            requests.append(replace(request, reference=masks and str(_mask_of(scan, masks, reference))))
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
    )


@functools.cache
def _runner() -> Runner:
    return Runner()


def _run(request: Request, monitor: Monitor) -> WrittenResult:
    """On a worker, whose networks stay open for the next scan."""
    return _runner().run(request, monitor)


def _masks(reference: str | None, scans: int) -> dict[str, Path] | Path | None:
    """The only mask, or the masks of a folder by name."""
    if reference is None:
        return None
    if Path(reference).is_dir():
        masks: dict[str, Path] = {}
        for path in find_scans(reference):
            other = masks.setdefault(scan_name(path).removesuffix(".seg"), path)
            if other != path:
                raise SpineError(f"{other} and {path.name} are masks of one scan: remove one of them.")
        return masks
    if scans > 1:
        raise SpineError(
            f"there are {scans} scans but only one reference mask ({reference}): give a folder that holds a mask "
            "with the name of each scan."
        )
    return Path(reference)


def _is_no_scan(path: Path) -> bool:
    try:
        read_volume(path)
    except NotAScan:
        return True
    except SpineError:
        return False
    return False


def _mask_of(scan: Path, masks: dict[str, Path] | Path, reference: str) -> Path:
    if isinstance(masks, Path):
        return masks
    name = scan_name(scan)
    for candidate in (name, name.removesuffix(_FIRST_CHANNEL)):
        if candidate in masks:
            return masks[candidate]
    raise SpineError(f"{scan}: the folder {reference} holds no reference mask named {name}, add it or leave it out.")


def _unique(name: str, taken: set[str]) -> str:
    """`name`, or `name` with a number, that no other scan has; file systems may not tell upper from lower case."""
    number, chosen = 1, name
    while chosen.casefold() in taken:
        number += 1
        chosen = f"{name}_{number}"
    taken.add(chosen.casefold())
    return chosen
