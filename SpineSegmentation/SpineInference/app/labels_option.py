"""The option of `spine-segment` that measures labels in place of looking for any."""

import argparse

from ..errors import SpineError

_OF_NETWORKS = {
    "--model": "model",
    "--planes": "planes",
    "--fusion": "fusion",
    "--device": "device",
    "--precision": "precision",
    "--top-level": "top_level",
    "--bottom-level": "bottom_level",
    "--numbered": "numbered",
    "--n4": "n4",
    "--remove-below": "remove_below",
    "--smooth": "smooth",
    "--fill-holes": "fill_holes",
    "--interpolate": "interpolate",
    "--dilate": "dilate",
    "--cluster": "cluster",
}
"""The options that say how labels are looked for, and where; by the names of their values."""


def add_labels(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the option."""
    parser.add_argument(
        "--labels",
        metavar="LABELS",
        help="measure these labels (a label map or .seg.nrrd) instead of looking for any, without a model; for several "
        "scans a folder with label maps of their names",
    )


def check_labels(arguments: argparse.Namespace, parser: argparse.ArgumentParser) -> None:
    """Raise SpineError where labels are given together with options that say how to look for them."""
    if arguments.labels is None:
        return
    given = [
        option
        for option, name in _OF_NETWORKS.items()
        if getattr(arguments, name) not in (None, parser.get_default(name))
    ]
    if given:
        raise SpineError(
            f"--labels measures what is labelled, and nothing is looked for: leave out {', '.join(given)}, or --labels."
        )
