"""How far behind the points that bodies alone tell the discs of generated spines reach.

    python Testing/benchmarks/disc_points.py --spines 8

No network is needed: each label map is looked at with its discs and without them.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import SimpleITK as sitk

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from generated_discs import generated_column
from generated_spine import measured

from SpineInference.anatomy import DISC_CODE, DISC_OFFSET, LEVELS, Segment
from SpineInference.measuring.morphometry.disc_points import DiscPoint, disc_points

GRIDS = {"1 mm": (1.0, 1.0, 1.0), "4 mm sagittal": (0.7, 0.7, 4.0)}
REGIONS = ("cervical", "thoracic", "lumbar")


def main() -> None:
    """Print quantiles of the distance (mm, positive to the back) for each grid, of all regions and of each."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spines", type=int, default=8, help="spines of each region")
    parser.add_argument("--seed", type=int, default=500, help="of the first one")
    parser.add_argument("--disease", type=float, default=0.3, help="how common bulges and the like are")
    arguments = parser.parse_args()
    seeds = range(arguments.seed, arguments.seed + arguments.spines)
    for grid, spacing in GRIDS.items():
        behind = {region: [] for region in REGIONS}
        for region in REGIONS:
            for seed in seeds:
                labels, column = generated_column(seed, spacing, region=region, disease=arguments.disease)
                behind[region] += _distances(labels, column.truth.axes[0])
        _tell(f"{grid}, all", [*chain.from_iterable(behind.values())])
        for region, distances in behind.items():
            _tell(f"{grid}, {region}", distances)


def _distances(labels: sitk.Image, posterior: np.ndarray) -> list[float]:
    """Of each disc between two bodies, how far its own tip lies behind that of the bodies."""
    present = np.unique(sitk.GetArrayViewFromImage(labels)).tolist()
    bodies = [level for level in LEVELS.values() if level.label in present]
    discs = [
        Segment(label, f"Disc {label - DISC_OFFSET}", (0, 0, 0), *DISC_CODE, False)
        for label in present
        if label > DISC_OFFSET
    ]
    measures = list(measured(labels).values())
    own, derived = (_by_vertebra(disc_points(labels, segments, measures)) for segments in (bodies + discs, bodies))
    both = [above for above in derived if above in own and not own[above].of_bodies]
    return [float(np.subtract(own[above].tip, derived[above].tip) @ posterior) for above in both]


def _by_vertebra(points: Sequence[DiscPoint]) -> dict[int, DiscPoint]:
    return {point.above: point for point in points}


def _tell(what: str, distances: Sequence[float]) -> None:
    low, middle, high = np.quantile(distances, (0.05, 0.5, 0.95))
    print(f"{what}: {len(distances)} discs reach {low:.1f} to {high:.1f} mm farther back in nine of ten, ", end="")
    print(f"median {middle:.1f}, most {max(distances):.1f}", flush=True)


if __name__ == "__main__":
    main()
