"""Work spread over the processes of a Ray cluster, or of this computer: handed out, tried again, stopped.

`local` is a cluster of this computer alone, which only this process can talk to and which leaves nothing behind.
Every node of another one needs the same installation, and sees the same files under the same paths. Nothing is sent
anywhere else. Ray is made for Linux; on macOS and Windows its makers support a single computer, that is `local`, and
call Windows a beta.
"""

import os
import secrets
import shutil
import signal
import socket
import tempfile
import threading
import time
import traceback
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from .. import __version__
from ..errors import SpineError
from ..monitor import Monitor
from ..processors import available_processors

LOCAL = "local"
ATTEMPTS = 3
"""How often something is tried whose process, or whose computer, dies."""

_ANSWER_S = 10.0
"""How long an address may take to answer; Ray itself asks for minutes."""
_LOOK_S = 0.2
"""How often is looked whether to stop."""
_PATIENCE_S = 15.0
"""How long workers may take to stop: some stages of the pipeline last seconds."""
_STARTING_AT_A_TIME = 16
_FAILED_STARTS = 2 * _STARTING_AT_A_TIME
"""So many workers in a row that do not start are no coincidence, such as a dying node."""
_OBJECT_STORE_BYTES = 80 << 20
"""Little more than Ray's minimum, because images stay in files."""

Function = Callable[[Any, Monitor], Any]
"""What workers do with an item. It lies in a module that they can import; the monitor tells when to stop."""


class WorkerError(Exception):
    """What a function has raised on a worker and is not meant for users: its type, its message and its traceback."""


@dataclass(frozen=True)
class Needs:
    """What a node must have free for one item."""

    cpus: int
    memory_gb: float
    gpus: int = 0

    @property
    def memory_bytes(self) -> int:
        return int(self.memory_gb * 2**30)

    def __str__(self) -> str:
        gpus = f"{self.gpus} GPU, " if self.gpus else ""
        return f"{gpus}{self.cpus} CPU and {self.memory_gb:g} GB of memory free for one task"


@dataclass(frozen=True)
class Finished:
    """What became of the item `name`: the function's result or the error that it raised, and the notes it made."""

    name: str
    result: Any = None
    error: SpineError | WorkerError | None = None
    notes: tuple[str, ...] = ()

    def outcome(self) -> Any:
        """The result. Raises the error."""
        if self.error is not None:
            raise self.error
        return self.result


@contextmanager
def connected(address: str) -> Iterator["Cluster"]:
    """The cluster at `address` ("host:port", "ray://host:port", "auto", "local"). At the end no work is left there.

    Raises SpineError where Ray is missing or the cluster cannot be reached.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ["RAY_DEDUP_LOGS_SKIP_REGEX"] = "."  # or Ray prints what happens to its processes
    if address == LOCAL:
        # Ray's ports are open to the network, and whoever is let in may run programs.
        os.environ.setdefault("RAY_AUTH_MODE", "token")
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    ray = _ray()
    _check_answers(address)
    with _session_folder(address) as folder:
        try:
            _connect(ray, address, folder)
            cluster = Cluster(ray, address)
            try:
                yield cluster
            finally:
                cluster.stop()
        finally:
            ray.shutdown()


def _ray() -> Any:
    try:
        import ray
    except ImportError:
        raise SpineError('work on a cluster needs Ray, which is not installed: pip install "ray[client]".') from None
    return ray


def _check_answers(address: str) -> None:
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdecimal():
        return  # a word, which Ray knows or does not
    try:
        socket.create_connection((host.strip("[]"), int(port)), _ANSWER_S).close()
    except (OSError, OverflowError) as error:
        raise _unusable(address, error) from None


@contextmanager
def _session_folder(address: str) -> Iterator[str | None]:
    """Where a local cluster keeps its sockets and logs; gone at the end."""
    if address != LOCAL:
        yield None
        return
    # Not in the user's TMPDIR: the path of a socket has at most about a hundred characters, most of them Ray's.
    folder = tempfile.mkdtemp(prefix="spine-ray-", dir="/tmp" if os.name == "posix" else None)
    try:
        yield folder
    finally:
        remove(folder)


def remove(session_folder: str) -> None:
    """Remove a folder that processes which are just ending may still write into."""
    for _ in range(50):
        shutil.rmtree(session_folder, ignore_errors=True)
        if not os.path.exists(session_folder):
            return
        time.sleep(0.1)


def _connect(ray: Any, address: str, folder: str | None) -> None:
    import logging

    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    if folder is not None:
        options |= {"_temp_dir": folder, "include_dashboard": False, "object_store_memory": _OBJECT_STORE_BYTES}
        options["num_cpus"] = available_processors()
    before = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(address=address, **options)
    except Exception as error:  # of many types
        raise _unusable(address, error) from None
    if callable(before):
        signal.signal(signal.SIGTERM, before)  # Ray puts its own in every other's place


def _unusable(address: str, error: Exception) -> SpineError:
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    return SpineError(
        f'the Ray cluster "{address}" cannot be used ({reason}): check the address, and that Ray runs there.'
    )


class _Worker:
    """Lives in a process of the cluster, keeps its share of the node, and takes one item after the other."""

    def __init__(self):
        self._stop = threading.Event()

    def version(self) -> str:
        return __version__

    def work(self, function: Function, name: str, item: Any) -> Finished:
        notes: list[str] = []
        result = error = None
        try:
            result = function(item, Monitor(on_note=notes.append, should_stop=self._stop.is_set))
        except SpineError as told:
            error = type(told)(str(told))
        except Exception as unexpected:
            # Neither every exception nor any traceback can travel.
            error = WorkerError(f"{type(unexpected).__name__}: {unexpected}")
            error.add_note(traceback.format_exc())
        return Finished(name, result, error, tuple(notes))

    def stop(self) -> None:
        self._stop.set()


@dataclass(frozen=True)
class _Call:
    """What a worker is doing: the item `name`, or None while it starts."""

    worker: Any
    name: str | None


class Cluster:
    """A cluster that this process is connected to."""

    def __init__(self, ray: Any, address: str):
        self._ray, self._address = ray, address
        self._calls: dict[Any, _Call] = {}
        self._ask_to_stop = False

    def most(self, resource: str) -> float:
        """The most that a single node has of "CPU", "GPU" or "memory" (bytes)."""
        return max((node.get(resource, 0) for node in self._nodes()), default=0)

    def map_unordered(
        self,
        function: Function,
        items: Mapping[str, Any],
        needs: Needs,
        monitor: Monitor,
        stage: str,
        keep_workers: bool = True,
    ) -> Iterator[Finished]:
        """Call `function(item, monitor)` in the cluster for each of the `items` by name; each comes back exactly once.

        They come in the order in which they end; `monitor` is told how many have, as `stage`. A worker takes item after
        item, so that what the function keeps open stays open; without `keep_workers` each item has a process of its
        own, which is ended without being asked when work stops early. An item whose worker dies is tried again,
        ATTEMPTS times in all. Raises SpineError when no node has what is needed or no worker starts, and Cancelled.
        """
        self._check_offers(needs)
        self._ask_to_stop = keep_workers
        waiting, deaths, done = deque(items), Counter(), 0
        while done < len(items):
            monitor.progress(stage, done, len(items))
            self._start_workers(len(waiting), needs)
            for ref in self._ray.wait(list(self._calls), timeout=_LOOK_S)[0]:
                call = self._calls.pop(ref)
                name = call.name
                try:
                    answer = self._ray.get(ref)
                except self._ray.exceptions.RayError as death:
                    self._ray.kill(call.worker)  # should it only be out of reach
                    deaths[name] += 1
                    if name is None:
                        self._check_start(death, deaths[name])
                        continue
                    if deaths[name] < ATTEMPTS:
                        monitor.note(f"{name}: its worker died, it is tried again.")
                        waiting.appendleft(name)
                        continue
                    answer = Finished(name, error=_retries_exhausted())
                else:
                    if name is None:
                        self._check_version(answer)
                        deaths[name] = 0
                    if waiting and (name is None or keep_workers):
                        following = waiting.popleft()
                        work = call.worker.work.remote(function, following, items[following])
                        self._calls[work] = _Call(call.worker, following)
                    else:
                        self._ray.kill(call.worker)
                if name is not None:
                    done += 1
                    yield answer

    def stop(self) -> None:
        """End all work; whoever is asked to stop has some time to clean up."""
        working = [ref for ref, call in self._calls.items() if call.name is not None]
        if working and self._ask_to_stop:
            for call in self._calls.values():
                call.worker.stop.remote()
            self._ray.wait(working, num_returns=len(working), timeout=_PATIENCE_S)
        for call in self._calls.values():
            self._ray.kill(call.worker)
        self._calls.clear()

    def _start_workers(self, items: int, needs: Needs) -> None:
        """Have as many workers starting as there are `items` waiting; Ray lets them start where there is room."""
        starting = sum(call.name is None for call in self._calls.values())
        for _ in range(min(items, _STARTING_AT_A_TIME) - starting):
            # One thread for the work and one to be told to stop.
            worker = self._ray.remote(_Worker).options(
                num_cpus=needs.cpus, num_gpus=needs.gpus, memory=needs.memory_bytes, max_concurrency=2
            )
            handle = worker.remote()
            self._calls[handle.version.remote()] = _Call(handle, None)

    def _check_offers(self, needs: Needs) -> None:
        wanted = {"CPU": needs.cpus, "GPU": needs.gpus, "memory": needs.memory_bytes}
        if not any(all(node.get(name, 0) >= amount for name, amount in wanted.items()) for node in self._nodes()):
            raise SpineError(
                f'no node of the Ray cluster "{self._address}" has {needs}: ask for less, or start Ray on a larger one.'
            )

    def _check_start(self, death: Exception, failures: int) -> None:
        if getattr(death, "actor_init_failed", False) or failures >= _FAILED_STARTS:
            reasons = [line.strip() for line in str(death).splitlines() if "Error: " in line]
            raise SpineError(
                f'no worker starts in the Ray cluster "{self._address}" ({reasons[-1] if reasons else death}): '
                f"install SpineSegmentation {__version__} on every node."
            )

    def _check_version(self, version: str) -> None:
        if version != __version__:
            raise SpineError(
                f'the Ray cluster "{self._address}" has SpineSegmentation {version}, this computer {__version__}: '
                "install the same on all."
            )

    def _nodes(self) -> list[dict[str, float]]:
        return [node["Resources"] for node in self._ray.nodes() if node["Alive"]]


def _retries_exhausted() -> SpineError:
    return SpineError(
        f"{ATTEMPTS} workers died with it, often for want of memory: the logs of the cluster may tell why."
    )
