"""The options of `spine-segment` for what is written."""

import argparse


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options."""
    group = parser.add_argument_group("results")
    group.add_argument(
        "--format",
        choices=("nii.gz", "nrrd", "dicom-seg"),
        default="nii.gz",
        help="of the label map; dicom-seg adds a segmentation that belongs to the DICOM series (%(default)s)",
    )
    group.add_argument(
        "--sr",
        action="store_true",
        help="add that segmentation, and the measures as a DICOM structured report (TID 1500) that refers to it",
    )
    group.add_argument(
        "--points",
        action="store_true",
        help="add the posterior tips of the discs, also for the Spinal Cord Toolbox, and the line of the canal",
    )
    group.add_argument(
        "--report",
        action="store_true",
        help="add a page with pictures and tables, and for several scans OUT/index.html, the doubtful ones first",
    )
    group.add_argument("--no-overview", action="store_true", help="write no pictures")


def outputs_of(arguments: argparse.Namespace) -> dict[str, str | bool]:
    """The fields of a `Request` that say what is written."""
    return {
        "format": arguments.format,
        "structured_report": arguments.sr,
        "points": arguments.points,
        "overview": not arguments.no_overview,
        "report": arguments.report,
    }
