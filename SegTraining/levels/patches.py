"""Patches around vertebral bodies whose level is known: what the network that recognises levels learns from."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from SpineInference.anatomy import LEVELS
from SpineInference.errors import SpineError
from SpineInference.specs import InputSpec
from SpineInference.spine.level_recognition import NEIGHBOUR_MM, TO_S1, make_patch, rotate_posterior
from SpineInference.spine.vertebrae import separate
from SpineInference.volume.geometry import canonical, resample, spacing_ipl, working_grid
from SpineInference.volume.preprocessing import preprocess

from ..config.levels import LevelConfig
from ..data.datasets import Case
from ..data.targets import is_target, training_target
from ..synthetic.spine.phantom import REGIONS, make_phantom

NO_VERTEBRA = 0
C2, L5, S1 = (LEVELS[name].label for name in ("C2", "L5", "S1"))
_ORDER = [level.label for name, level in LEVELS.items() if name != "L6"]

_LEAST_SHARE = 0.25
"""Bodies of less than this share of the median one are cut off by the border: it is not known where their middle is."""
_SLAB = {"spacing": (1.3, 1.3, 2.2), "field_of_view": (200.0, 300.0, 26.4)}
"""Of phantoms, in mm: no more than patches can show."""
_OFF_SPINE_SHARE = 0.25
"""Patches beside the spine, as a share of those of bodies."""

_BELOW_S1 = (0.8, 20.0)
"""The way from S1 to S2, as `TO_S1`."""


@dataclass(frozen=True, eq=False)
class LevelScan:
    """A scan as the networks see it, canonical [I, P, L], and the centres (voxels) of its bodies by label value."""

    name: str
    volume: np.ndarray
    spacing: tuple[float, float, float]
    centres: dict[int, np.ndarray]


def read_scan(case: Case, config: LevelConfig) -> LevelScan:
    """The scan of a case and every body that it must show, also those beyond the labelled ones.

    Raises SpineError where it cannot be read, or its labels tell no levels and the configuration does not either.
    """
    image, labels = case.read()
    working = canonical(resample(labels, working_grid(image, config.working_mm), nearest=True))
    values, spacing = sitk.GetArrayFromImage(working), spacing_ipl(working)
    if not case.labels_are_instances:
        if case.dataset.name not in config.lowest_level:
            raise SpineError(
                f'The labels of "{case.dataset.name}" tell no levels: say which its lowest one is in lowest_level.'
            )
        instances, bodies = separate(is_target(training_target(values, spacing, case.dataset)), spacing)
        last = _ORDER.index(LEVELS[config.lowest_level[case.dataset.name]].label)
        values = np.array([0, *_ORDER[max(0, last + 1 - len(bodies)) : last + 1]], np.uint8)[instances]
    return _scan(case.name, image, values, config)


def phantom_scan(seed: int, config: LevelConfig) -> LevelScan:
    """The scan of a phantom; the regions of the spine take turns."""
    region = list(REGIONS)[seed % len(REGIONS)]
    disease, artefacts = np.random.default_rng([seed, 2]).uniform(size=2)
    phantom = make_phantom(seed, region=region, disease=float(disease), artefacts=float(artefacts), **_SLAB)
    grid = working_grid(phantom.image, config.working_mm)
    values = canonical(resample(phantom.bodies, grid, nearest=True))
    return _scan(f"phantom_{seed}", phantom.image, sitk.GetArrayFromImage(values), config)


def draw_patches(
    scan: LevelScan, spec: InputSpec, copies: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """`copies` of the patch of each body, and some beside the spine: float16 [n, 3, rows, cols] and their label values.

    Each is turned by up to 15 degrees, scaled by up to a fourth and shifted by up to 6 mm in each direction.
    """
    places = list(scan.centres.items()) * copies
    for index in rng.integers(len(places), size=round(_OFF_SPINE_SHARE * len(places))):
        away = rng.choice([-1, 1]) * rng.uniform(32, 60) / scan.spacing[1]
        places.append((NO_VERTEBRA, places[index][1] + (0, away, 0)))
    patches = np.empty((len(places), 3, *spec.canvas), np.float16)
    for patch, (_, centre) in zip(patches, places, strict=True):
        angle, scale = np.deg2rad(rng.uniform(-15, 15)), np.exp(rng.uniform(-0.22, 0.22))
        turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        place = centre + rng.uniform(-6, 6, 3) / scan.spacing
        patch[:] = make_patch(scan.volume, scan.spacing, place, spec, turn, NEIGHBOUR_MM * rng.uniform(0.6, 1.4))
    return patches, np.array([value for value, _ in places])


def _scan(name: str, image: sitk.Image, values: np.ndarray, config: LevelConfig) -> LevelScan:
    working = preprocess(image, config.working_mm, config.intensity)
    volume, spacing = sitk.GetArrayFromImage(working), spacing_ipl(working)
    present, voxels = np.unique(values[values > 0], return_counts=True)
    whole = present[voxels >= _LEAST_SHARE * np.median(voxels)].tolist()
    centres = dict(zip(whole, ndimage.center_of_mass(values > 0, values, whole), strict=True))
    known = _continued({value: np.multiply(centre, spacing) for value, centre in centres.items()})
    inside = {value: mm / spacing for value, mm in known.items()}
    return LevelScan(
        name, volume, spacing, {v: c for v, c in inside.items() if (c >= 0).all() and (c < volume.shape).all()}
    )


def _continued(centres: dict[int, np.ndarray]) -> dict[int, np.ndarray]:
    """`centres` (mm) by label value, and those of the next bodies beyond both ends, which nobody labelled."""
    result = dict(centres)
    order = [value for value in _ORDER if value in centres]
    if len(order) < 2:
        return result
    if order[0] > C2:
        result[order[0] - 1] = 2 * centres[order[0]] - centres[order[1]]
    last = order[-1]
    way = centres[last] - centres[order[-2]]
    if last == L5:
        way = rotate_posterior(way, *TO_S1)
        result[S1] = centres[L5] + way
        last = S1
    elif last < L5:
        result[last + 1] = centres[last] + way
    if last == S1:
        result[NO_VERTEBRA] = result[S1] + rotate_posterior(way, *_BELOW_S1)
    return result
