"""`segtraining experiment`: many configurations, trained, evaluated and reported."""

import argparse
from pathlib import Path

from .arguments import add_data, changes_of, data_folder


def add_to(subparsers: argparse._SubParsersAction) -> None:
    command = subparsers.add_parser("experiment", help="train and evaluate many configurations, resumably, and report")
    command.add_argument("experiment", help="YAML file of an experiment, or the name of a preset")
    add_data(command)
    command.add_argument("-o", "--output", type=Path, help="folder of the experiment (default experiments/NAME)")
    command.add_argument("--only", nargs="+", default=["*"], metavar="PATTERN", help="runs with such names: *-sagittal")
    command.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="run in the Ray cluster at host:port or ray://host:port, or several at a time on this computer (local)",
    )
    command.add_argument("--list", action="store_true", help="show the runs and how far they are, and run nothing")
    command.add_argument("--report", action="store_true", help="write the report of what is there, and run nothing")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from ..config.experiment import load_experiment
    from ..experiments.local_executor import run_locally
    from ..experiments.ray_executor import run_in_cluster
    from ..experiments.runner import plan, report_experiment, run_experiment

    experiment, changes = load_experiment(options.experiment), changes_of(options)
    output = options.output or Path("experiments") / experiment.name
    data = Path() if options.list or options.report else data_folder(options)
    planned = plan(experiment, output, data, options.cache, changes, options.only)
    if options.list:
        print("\n".join(f"{each.run.name}  {each.state}" for each in planned))
        print(f"{len(planned)} runs into {output}")
    elif options.report:
        report_experiment(planned, output)
    else:
        try:
            run_experiment(planned, output, run_in_cluster(options.cluster) if options.cluster else run_locally)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("interrupted: the same command goes on where it was.") from None
