"""`segtraining phantom`: a data set of synthetic spines, bone scans or radiographs."""

import argparse
from pathlib import Path

from SpineInference.errors import SpineError

_SPINES = {"spine": "plain", "varied-spine": "full", "close-spine": "close"}
"""Kinds that are spines, and the variety of `write_dataset` that each is."""


def add_to(subparsers: argparse._SubParsersAction) -> None:
    command = subparsers.add_parser("phantom", help="write a data set of synthetic spines, bone scans or radiographs")
    command.add_argument("output", type=Path, help="folder of the new data set")
    command.add_argument(
        "--kind",
        choices=("spine", "varied-spine", "close-spine", "scintigraphy", "radiograph"),
        default="spine",
        help="what it shows (default spine: lumbar T1, T2 and water images in turn; varied-spine: any region and scan; "
        "close-spine: sharp cut-outs, mostly of necks, as large as networks are shown them)",
    )
    command.add_argument("--region", help="of spines, what is in the middle: cervical, thoracic, lumbar, ... (by kind)")
    command.add_argument("--count", type=int, default=24, help="scans or images (default 24)")
    command.add_argument("--seed", type=int, default=1)
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    if options.kind in _SPINES:
        from ..synthetic.spine.dataset import write_dataset
        from ..synthetic.spine.phantom import REGIONS

        if options.region not in (None, *REGIONS):
            raise SpineError(f'"{options.region}" is not a region of a spine: use {", ".join(REGIONS)}.')
        region = {"region": options.region} if options.region else {}
        write_dataset(options.output, options.count, options.seed, _SPINES[options.kind], **region)
    elif options.region:
        raise SpineError(f"--region is for spines, not for a {options.kind}: leave it out.")
    else:
        from ..synthetic.planar.dataset import write_flat_dataset

        write_flat_dataset(options.output, options.kind, options.count, options.seed)
