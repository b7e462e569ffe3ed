"""How right the measures of the spine are on generated bodies: mean absolute errors, and grades of fractures.

    python Testing/benchmarks/measures.py --spines 6

No network is needed: the label maps are those of generated spines, smooth or as uneven as those of phantoms.
"""

import argparse
import sys
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from generated_discs import generated_column, true_soft_measures
from generated_spine import generated_bodies, measured, true_measures

from SpineInference.measuring.morphometry.deformity import deformities

GRIDS = {"1 mm": (1.0, 1.0, 1.0), "4 mm sagittal": (0.7, 0.7, 4.0)}
REGIONS = ("cervical", "thoracic", "lumbar")
KINDS = {
    "heights mm": ("anterior_height", "middle_height", "posterior_height"),
    "slips mm": ("slip",),
    "angles deg": ("disc_angle", "segmental_angle"),
    "curves deg": ("lumbar_lordosis", "thoracic_kyphosis", "cervical_lordosis"),
}
SOFT_KINDS = {
    "disc heights mm": ("anterior_disc_height", "middle_disc_height", "posterior_disc_height"),
    "canal diameters mm": ("canal_diameter",),
    "canal areas mm2": ("canal_area",),
}


def main() -> None:
    """Print a line for each grid, roughness and kind of measure, and the share of right grades."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--spines", type=int, default=6, help="spines of each region")
    parser.add_argument("--seed", type=int, default=400, help="of the first one")
    parser.add_argument("--discs", action="store_true", help="only discs and canal, which bodies alone do not have")
    arguments = parser.parse_args()
    seeds = range(arguments.seed, arguments.seed + arguments.spines)
    for grid, spacing in GRIDS.items():
        for rough_mm in (0.0, 0.35):
            errors = _soft_errors(seeds, spacing, rough_mm)
            _tell(errors, SOFT_KINDS, f"{grid}, rough {rough_mm} mm")
    if arguments.discs:
        return
    for grid, spacing in GRIDS.items():
        for rough_mm in (0.0, 0.35):
            errors = defaultdict(list)
            for region in REGIONS:
                for seed in seeds:
                    labels, truth = generated_bodies(seed, spacing, region=region, disease=0.5, rough_mm=rough_mm)
                    known = true_measures(truth)
                    for key, each in measured(labels).items():
                        kind = next((kind for kind, names in KINDS.items() if each.name in names), None)
                        if kind and key in known and each.value is not None and not each.marks:
                            errors[kind, each.at[0]].append(abs(each.value - known[key]))
            _tell(errors, KINDS, f"{grid}, rough {rough_mm} mm")
        for rough_mm in (0.0, 0.35):
            right, false = _grades(seeds, spacing, rough_mm)
            print(f"{grid}, rough {rough_mm} mm, grades: {np.mean(right):.2f} of {len(right)} fractures, ", end="")
            print(f"{np.sum(false)} false of {len(false)} whole bodies", flush=True)


def _tell(errors: dict[tuple[str, str], list[float]], kinds: Iterable[str], where: str) -> None:
    for kind in kinds:
        parts = {part: errors[kind, part] for part in "CTL" if errors[kind, part]}
        told = ", ".join(f"{part} {np.mean(off):.2f} (n {len(off)})" for part, off in parts.items())
        print(f"{where}, {kind}: {told}", flush=True)


def _soft_errors(
    seeds: range, spacing: tuple[float, float, float], rough_mm: float
) -> dict[tuple[str, str], list[float]]:
    """Errors of discs and canal by kind and region of the upper body."""
    errors = defaultdict(list)
    for region in REGIONS:
        for seed in seeds:
            labels, column = generated_column(seed, spacing, region=region, disease=0.5, rough_mm=rough_mm)
            found = measured(labels)
            for key, true in true_soft_measures(column, {at for at, _ in found}).items():
                each = found.get(key)
                kind = next((kind for kind, names in SOFT_KINDS.items() if key[1] in names), None)
                if each is not None and each.value is not None and not each.marks:
                    errors[kind, each.at[0]].append(abs(each.value - true))
    return errors


def _grades(seeds: range, spacing: tuple[float, float, float], rough_mm: float) -> tuple[list[bool], list[bool]]:
    """Of each generated fracture whether its grade is that of its true heights; of each other body if it has one."""
    right, false = [], []
    for region in ("thoracic", "lumbar"):
        for seed in seeds:
            labels, truth = generated_bodies(seed, spacing, region=region, disease=1.0, rough_mm=rough_mm)
            found = measured(labels)
            bodies = [body for body in truth.bodies if (body.name, "genant_grade") in found]
            for body, true in zip(bodies, deformities([body.heights for body in bodies]), strict=True):
                grade = found[body.name, "genant_grade"].value
                if body.fracture:
                    right.append(grade == true.grade)
                else:
                    false.append(bool(grade) and not true.grade)
    return right, false


if __name__ == "__main__":
    main()
