"""How right the measures of the spine are on generated bodies: mean absolute errors, grades, coronal curves.

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
from generated_spine import generated_bodies, measured, scoliotic_seeds, true_coronal_curve, true_measures

from SpineInference.anatomy import LEVELS
from SpineInference.measuring.morphometry.deformity import GRADES, deformities, grade_of

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
_RATIOS = "wedge_ratio", "biconcave_ratio", "crush_ratio"
_CLEAR = 0.02
"""A true loss of height nearer to a threshold is a grade that a second reading may change."""


def main() -> None:
    """Print a line for each grid, roughness and kind of measure, for grades of fractures and for coronal curves."""
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
            losses, false = _grades(range(seeds.start, seeds.start + 4 * len(seeds)), spacing, rough_mm)
            right = [grade_of(true) == grade_of(measured) for true, measured in losses]
            clear = [each for each, (true, _) in zip(right, losses, strict=True) if _from_threshold(true) > _CLEAR]
            off = np.mean([abs(true - measured) for true, measured in losses])
            print(f"{grid}, rough {rough_mm} mm, grades: {np.mean(right):.2f} of {len(right)} fractures, ", end="")
            print(f"{np.mean(clear):.2f} of {len(clear)} more than {_CLEAR} from a threshold, ", end="")
            print(f"loss of height off by {off:.3f}, {np.sum(false)} false of {len(false)} whole bodies", flush=True)
        for rough_mm in (0.0, 0.35):
            angles, apexes = _coronal(arguments.seed, 2 * len(seeds), spacing, rough_mm)
            print(f"{grid}, rough {rough_mm} mm, coronal: Cobb angle off by {np.mean(angles):.2f} deg ", end="")
            print(f"(most {np.max(angles):.1f}), the apex right in {np.mean(np.equal(apexes, 0)):.2f}, ", end="")
            print(f"within one in {np.mean(np.less_equal(apexes, 1)):.2f} of {len(apexes)}", flush=True)


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


def _from_threshold(loss: float) -> float:
    return min(abs(loss - threshold) for threshold in GRADES)


def _grades(
    seeds: range, spacing: tuple[float, float, float], rough_mm: float
) -> tuple[list[tuple[float, float]], list[bool]]:
    """Of each generated fracture the loss of height of its true heights and the measured one; of each other body
    whether it has a grade that it should not have."""
    losses, false = [], []
    for region in ("thoracic", "lumbar"):
        for seed in seeds:
            labels, truth = generated_bodies(seed, spacing, region=region, disease=1.0, rough_mm=rough_mm)
            found = measured(labels)
            bodies = [body for body in truth.bodies if (body.name, "genant_grade") in found]
            for body, true in zip(bodies, deformities([body.heights for body in bodies]), strict=True):
                ratios = [found[key].value for key in ((body.name, name) for name in _RATIOS) if key in found]
                if body.fracture:
                    losses.append((1 - true.ratio, 1 - min(ratios)))
                else:
                    false.append(bool(found[body.name, "genant_grade"].value) and not true.grade)
    return losses, false


def _coronal(
    first: int, count: int, spacing: tuple[float, float, float], rough_mm: float
) -> tuple[list[float], list[int]]:
    """Of scoliotic spines how far the Cobb angle is off, in degrees, and the apex, in levels."""
    angles, apexes = [], []
    for region in ("thoracic", "thoracolumbar", "lumbar"):
        for seed in scoliotic_seeds(region, first, -(-count // 3)):
            labels, truth = generated_bodies(seed, spacing, region=region, disease=1.0, rough_mm=rough_mm)
            found = measured(labels)
            whole = {at for (at, name), each in found.items() if name == "middle_height" and each.value is not None}
            cobb = next((each for each in found.values() if each.name == "coronal_cobb"), None)
            true = true_coronal_curve(truth, whole)
            if cobb is None or true is None:
                continue
            curve, names = true
            angles.append(abs(cobb.value - curve.angle))
            apex = found[cobb.at, "coronal_apex"].value.split(",")[0]
            levels = list(LEVELS)
            apexes.append(abs(levels.index(apex) - levels.index(names[curve.apex])))
    return angles, apexes


if __name__ == "__main__":
    main()
