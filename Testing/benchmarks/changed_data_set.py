"""A copy of a data set in nnU-Net's raw layout, with every scan and its reference changed by a function."""

import argparse
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "SpineSegmentation")]

import SimpleITK as sitk  # noqa: E402

from SegTraining.config.data import Dataset  # noqa: E402
from SegTraining.data.datasets import find_cases  # noqa: E402
from SpineInference.errors import SpineError  # noqa: E402

Change = Callable[[sitk.Image, sitk.Image], tuple[sitk.Image, sitk.Image]]
"""From a scan and its labels to others, both on one grid again. Raises SpineError where that cannot be done."""


def write_changed(options: argparse.Namespace, change: Change) -> int:
    """Write `options.target`, the other data set, of `options.cases` (None: all) of the folder `options.source`.

    Returns 0, or 2 for folders or cases that cannot be used.
    """
    source, target = options.source, options.target
    try:
        cases = find_cases(Dataset(name=source.name), source.absolute().parent)
        if unknown := set(options.cases or ()) - {case.name for case in cases}:
            raise SpineError(f'"{source}" has no case "{min(unknown)}": correct --cases.')
        if target.exists():
            raise SpineError(f'"{target}" exists already: give a new folder.')
        for case in cases:
            if options.cases and case.name not in options.cases:
                continue
            labels = "instancesTr" if case.labels_are_instances else "labelsTr"
            names = f"{case.name}_0000", case.name
            for part, name, image in zip(("imagesTr", labels), names, change(*case.read()), strict=True):
                (target / part).mkdir(parents=True, exist_ok=True)
                sitk.WriteImage(image, target / part / f"{name}.nii.gz", True)
    except SpineError as error:
        print(error, file=sys.stderr)
        return 2
    if (description := source / "dataset.json").is_file():
        shutil.copyfile(description, target / "dataset.json")
    return 0
