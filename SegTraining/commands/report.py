"""`segtraining report`: curves, pictures and tables of runs."""

import argparse
from pathlib import Path


def add_to(subparsers: argparse._SubParsersAction) -> None:
    command = subparsers.add_parser("report", help="write curves, pictures and tables of runs as one HTML file")
    command.add_argument("run_folders", type=Path, nargs="+", metavar="RUN", help="run folder, or output of evaluate")
    command.add_argument("-o", "--output", type=Path, default=Path("report.html"))
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from ..reporting.report import write_report

    for path in write_report(options.run_folders, options.output):
        print(path)
