"""A Ray cluster of two computers, played by processes of this one."""

import os
import secrets
import sys
import tempfile
import time
from importlib.util import find_spec
from typing import Any
from unittest import mock

import psutil
import pytest

from SpineInference.app.cluster import remove

if find_spec("ray") is None:
    pytest.skip("Ray is not installed: pip install ray", allow_module_level=True)
# Ray reads these when it is imported.
os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": ".", "RAY_worker_niceness": "0"}
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))

two_nodes = pytest.mark.skipif(
    sys.platform != "linux" or "SPINE_RAY_NODES" not in os.environ,
    reason="Clusters of several nodes are for Linux and a quiet computer: set SPINE_RAY_NODES=1 to test with them",
)
_SMALL: dict[str, Any] = {
    "object_store_memory": 80 << 20,
    "memory": 12 << 30,
    "include_dashboard": False,
    "include_log_monitor": False,
    "no_monitor": True,
}
"""No more processes than needed: a node has half a minute to start."""


class RayNodes:
    """A head without processors and two nodes with one each; their workers find modules where this process does."""

    def __init__(self):
        from ray.cluster_utils import Cluster

        self._folder = tempfile.mkdtemp(prefix="ray-test-", dir="/tmp")  # paths of sockets must be short
        self._cluster = Cluster()
        self._add(num_cpus=0, _system_config={"health_check_period_ms": 1000})
        self._add(num_cpus=1)
        self._add(num_cpus=1)
        self.address: str = self._cluster.address

    def replace_dead(self) -> None:
        """Have two nodes again after one has died, as soon as that has been noticed."""
        while len(self._cluster.global_state._live_node_ids()) > 2:
            time.sleep(0.1)
        self._add(num_cpus=1)

    def _add(self, **options: Any) -> None:
        with mock.patch.dict(os.environ, {"PYTHONPATH": os.pathsep.join(sys.path), "RAY_TMPDIR": self._folder}):
            self._cluster.add_node(**_SMALL, **options)

    def stopped_at_work(self) -> psutil.Process:
        """A worker, stopped in the middle of something, as soon as there is one."""
        while True:
            for process in _workers():
                process.suspend()
                if _title(process).startswith("ray::_Worker.work"):
                    return process
                process.resume()
            time.sleep(0.02)

    def cut_power(self, worker: psutil.Process) -> None:
        """End the node of `worker`, and this with it, as if its computer had been switched off."""
        worker.parent().kill()
        worker.kill()

    @property
    def workers(self) -> int:
        """How many there are."""
        return len(_workers())

    def shutdown(self) -> None:
        """End all nodes."""
        self._cluster.shutdown()
        remove(self._folder)


def _workers() -> list[psutil.Process]:
    return [each for each in psutil.Process().children(recursive=True) if _title(each).startswith("ray::_Worker")]


def _title(process: psutil.Process) -> str:
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""
