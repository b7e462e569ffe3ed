"""How far the measures of real scans that rest on the networks are from those that rest on reference masks.

    python Testing/benchmarks/measures_of_scans.py DATA/Dataset501_Chu --cases chu_14 chu_16

The folders are in nnU-Net's raw layout. Where levels are known (instancesTr, VerSe numbers), bodies are compared, each
under the number of the reference; else discs and canal of labelsTr, beside the networks' bodies. What either side marks
is left out.
"""

import argparse
import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from generated_spine import measured

from SpineInference.anatomy import CANAL_LABEL, DISC_OFFSET, LEVELS
from SpineInference.engines.engine_cache import EngineCache
from SpineInference.files.reading import read_labels, read_volume
from SpineInference.measuring.morphometry.measure import Measure
from SpineInference.models.catalog import open_set
from SpineInference.pipeline import segment

_FEWEST_VOXELS = 200
"""A smaller part of a reference's discs is a crumb."""

Found = dict[tuple[str, str], Measure]


def main() -> None:
    """Print for each measure the mean and the largest difference, and how many Genant grades are the same."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="+", type=Path)
    parser.add_argument("--cases", nargs="*", help="only these")
    parser.add_argument("--model", default="vertebral-bodies-mr")
    arguments = parser.parse_args()
    models, engines, differences, grades = open_set(arguments.model), EngineCache(), defaultdict(list), []
    for path in (path for folder in arguments.datasets for path in sorted((folder / "labelsTr").glob("*.nii.gz"))):
        case, folder = path.name.removesuffix(".nii.gz"), path.parents[1]
        if arguments.cases and case not in arguments.cases:
            continue
        scan = read_volume(folder / "imagesTr" / f"{case}_0000.nii.gz")
        labels = segment(scan, models, engines=engines).labels
        instances = folder / "instancesTr" / path.name
        if instances.is_file():
            kinds, pair = ("body", "level", "curve"), _bodies(read_labels(instances), labels)
        else:
            values = json.loads((folder / "dataset.json").read_text("utf-8"))["labels"]
            kinds, pair = ("disc", "canal"), _discs_and_canal(read_labels(path), labels, values)
        reference, found = (measured(each) for each in pair)
        for key, true in reference.items():
            own = found.get(key)
            if true.kind not in kinds or own is None or true.marks or own.marks:
                continue
            if true.name == "genant_grade":
                grades.append(true.value == own.value)
            elif isinstance(true.value, float) and isinstance(own.value, float):
                differences[true.name].append(own.value - true.value)
        print(f"{case} measured", file=sys.stderr, flush=True)
    for name, off in differences.items():
        print(f"{name}: {np.mean(np.abs(off)):.2f} in the mean, most {np.max(np.abs(off)):.1f}, ", end="")
        print(f"{np.mean(off):+.2f} on the whole, of {len(off)}")
    if grades:
        print(f"Genant grades: {sum(grades)} of {len(grades)} the same")


def _bodies(reference: sitk.Image, labels: sitk.Image) -> tuple[sitk.Image, sitk.Image]:
    """Only the bodies of both, those of the result by the number of the one that each covers most of."""
    true, found = (sitk.GetArrayViewFromImage(image) for image in (reference, labels))
    own = np.zeros(found.shape, np.uint8)
    for number in np.unique(true)[1:]:
        values, counts = np.unique(found[true == number], return_counts=True)
        if values[counts.argmax()]:
            own[found == values[counts.argmax()]] = number
    return reference, _like(own, labels)


def _discs_and_canal(reference: sitk.Image, labels: sitk.Image, values: dict[str, int]) -> tuple[sitk.Image, ...]:
    """The result, and in it discs and canal of the reference, each disc by the name of the one that it meets.

    Bodies that are only numbered are called T1, T2 and so on, so that all are measured alike.
    """
    true, found = sitk.GetArrayViewFromImage(reference), sitk.GetArrayFromImage(labels)
    numbered = np.isin(found % DISC_OFFSET, range(31, 60)) & (found != CANAL_LABEL)
    found[numbered] -= 31 - LEVELS["T1"].label
    soft = np.where(true == values["spinal_canal"], CANAL_LABEL, 0).astype(np.uint8)
    parts, count = ndimage.label(true == values["disc"])
    for part in range(1, count + 1):
        disc = parts == part
        met, counts = np.unique(found[disc & (found > DISC_OFFSET)], return_counts=True)
        if len(met) and np.count_nonzero(disc) >= _FEWEST_VOXELS:
            soft[disc] = met[counts.argmax()]
    bodies = np.where((found >= CANAL_LABEL), 0, found)
    own = np.where((found >= CANAL_LABEL), found, 0)
    return tuple(sitk.Compose(_like(bodies, labels), _like(each, labels)) for each in (soft, own))


def _like(array: np.ndarray, image: sitk.Image) -> sitk.Image:
    out = sitk.GetImageFromArray(array)
    out.CopyInformation(image)
    return out


if __name__ == "__main__":
    main()
