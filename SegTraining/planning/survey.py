"""The fingerprint of a data set: sizes, spacings, labels and intensities of its cases, read before anything is made."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from SpineInference.errors import SpineError
from SpineInference.volume.geometry import SLICE_AXIS, canonical, spacing_ipl

from ..config.data import Label
from ..data.datasets import Case
from ..data.prepare import voxel_hash
from ..data.targets import is_target, labelled_classes

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class CaseFacts:
    """What one case holds; arrays and lengths in the order of the canonical axes [I, P, L], in voxels and mm."""

    name: str
    patient: str
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    labelled_mm: tuple[float, float, float]
    """Extent of everything labelled."""
    labelled_slices: dict[str, int]
    """By plane."""
    least: float
    """The smallest intensity."""
    voxel_hash: str

    @property
    def extent(self) -> tuple[float, float, float]:
        return tuple(n * mm for n, mm in zip(self.shape, self.spacing, strict=True))


@dataclass(frozen=True)
class Survey:
    """What all cases of a data set hold."""

    cases: tuple[CaseFacts, ...]

    @property
    def patients(self) -> int:
        return len({case.patient for case in self.cases})

    @property
    def spacing(self) -> np.ndarray:
        """The median [I, P, L] of the cases, mm."""
        return np.median([case.spacing for case in self.cases], axis=0)

    @property
    def extent(self) -> np.ndarray:
        """The median [I, P, L] of the cases, mm."""
        return np.median([case.extent for case in self.cases], axis=0)

    @property
    def labelled_mm(self) -> np.ndarray:
        """The largest [I, P, L] of the cases, mm."""
        return np.max([case.labelled_mm for case in self.cases], axis=0)

    @property
    def single_planes(self) -> list[str]:
        """The planes of which some case is a single slice."""
        return [plane for plane, axis in SLICE_AXIS.items() if any(case.shape[axis] == 1 for case in self.cases)]

    @property
    def is_ct(self) -> bool:
        """Whether the intensities are those of CT: Hounsfield units, in which air is about -1000."""
        return float(np.median([case.least for case in self.cases])) < -500


def survey(cases: Sequence[Case], labels: tuple[Label, ...]) -> Survey:
    """Read all `cases`. Raises SpineError for one that cannot be read, has a value that nobody has named, or in which
    nothing is labelled, and where two are the same image."""
    facts: list[CaseFacts] = []
    for number, case in enumerate(cases, start=1):
        facts.append(_facts(case, labels))
        other = next((fact for fact in facts[:-1] if fact.voxel_hash == facts[-1].voxel_hash), None)
        if other is not None and other.patient != facts[-1].patient:
            raise SpineError(
                f'"{other.name}" and "{case.name}" are the same image under two names: remove one of them.'
            )
        _log.info(f"read {number} of {len(cases)}: {case.name}")
    return Survey(tuple(facts))


def _facts(case: Case, labels: tuple[Label, ...]) -> CaseFacts:
    image, label_map = case.read()
    oriented = canonical(label_map)
    values, spacing = sitk.GetArrayFromImage(oriented), spacing_ipl(oriented)
    canal = case.read_canal()
    drawn = None if canal is None else sitk.GetArrayFromImage(canonical(canal)) > 0
    try:
        target = is_target(labelled_classes(values, spacing, case.dataset, labels, drawn))
    except SpineError as error:
        raise SpineError(f'The case "{case.name}" cannot be used: {error}') from None
    if not target.any():
        raise SpineError(f'Nothing is labelled in the case "{case.name}": label it, or remove its files.')
    hits = [np.flatnonzero(target.any(axis=tuple({0, 1, 2} - {axis}))) for axis in range(3)]
    return CaseFacts(
        case.name,
        case.patient,
        target.shape,
        spacing,
        tuple(float((hit[-1] - hit[0] + 1) * mm) for hit, mm in zip(hits, spacing, strict=True)),
        {plane: len(hits[axis]) for plane, axis in SLICE_AXIS.items()},
        float(sitk.GetArrayViewFromImage(image).min()),
        voxel_hash(image),
    )
