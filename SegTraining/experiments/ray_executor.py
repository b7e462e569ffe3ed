"""Runs the tasks of an experiment in a Ray cluster, as many at a time as it has room for, each in a process of its own.

A run whose process or node dies goes on where its last checkpoint was, wherever there is room; so all nodes must see
the same files. What a run takes of a node are the `resources` of the experiment, without GPUs where no node has any.
"""

import logging
from collections.abc import Callable, Sequence

from SpineInference.app.cluster import Cluster, Finished, Needs, WorkerError, connected
from SpineInference.errors import SpineError
from SpineInference.monitor import Monitor

from .task import Executor, Task, TaskOutcome, run_task

_log = logging.getLogger(__name__)


def run_in_cluster(address: str) -> Executor:
    """The executor (see `task`) for the cluster at `address` or, as "local", for all cores of this computer.

    It raises SpineError where the cluster cannot be used. Interrupted, it ends what is running.
    """

    def execute(tasks: Sequence[Task], on_outcome: Callable[[TaskOutcome], None]) -> None:
        items = {task.name: task for task in tasks}
        monitor = Monitor(on_note=_log.info)
        with connected(address) as cluster:
            needs = _needs(tasks, cluster)
            for finished in cluster.map_unordered(_run, items, needs, monitor, "runs", keep_workers=False):
                on_outcome(_task_outcome(finished))

    return execute


def _needs(tasks: Sequence[Task], cluster: Cluster) -> Needs:
    gpus = max(task.gpus for task in tasks) if cluster.most("GPU") else 0
    return Needs(max(task.cpus for task in tasks), max(task.memory_gb for task in tasks), gpus)


def _run(task: Task, monitor: Monitor) -> TaskOutcome:
    return run_task(task, task.cpus)  # other runs use the other processors of the node


def _task_outcome(finished: Finished) -> TaskOutcome:
    try:
        return finished.outcome()
    except (SpineError, WorkerError) as error:
        return TaskOutcome(finished.name, 0.0, error=str(error))
