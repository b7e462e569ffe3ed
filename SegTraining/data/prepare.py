"""Prepares data sets for training: every case through the runtime's own preprocessing into the cache, once."""

import hashlib
import json
import logging
import random
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from SpineInference.errors import SpineError
from SpineInference.files.atomic import atomic
from SpineInference.specs import IntensityRule
from SpineInference.volume.geometry import SLICE_AXIS, canonical, plane_grid, resample, spacing_ipl
from SpineInference.volume.intensity import thesis_normalise
from SpineInference.volume.preprocessing import preprocess

from ..config.config import Config
from ..config.data import THESIS_RULE, Input, Label
from .cache import FORMAT, CachedCase, CaseRecord, open_case, read_record, write_record
from .datasets import PARTS, Case, split_cases
from .layouts import left_out
from .targets import IGNORE, class_map, evaluated_slices, is_target, training_target

_log = logging.getLogger(__name__)

_PERCENTILES = (0.0, 0.5, 50.0, 99.5, 100.0)


def prepare(config: Config, data_folder: Path, cache_folder: Path, processes: int = 1) -> dict[str, list[CachedCase]]:
    """Prepare whatever is not in the cache yet; the cases of "training", "validation" and "test".

    Also writes `fingerprint.json` beside the cases, and names the files that are left out. Raises SpineError for data
    that cannot be used.
    """
    for dataset in config.data.datasets:
        for sentence in left_out(dataset, data_folder / dataset.name):
            _log.warning(sentence)
    parts = split_cases(config.data, data_folder)
    jobs = [Job(case, config.input, config.model_info.labels, cache_folder) for part in PARTS for case in parts[part]]
    stale = [job for job in jobs if not job.is_fresh()]
    random.Random().shuffle(stale)  # so that runs that begin at the same time share the work
    if processes > 1 and len(stale) > 1:
        with ProcessPoolExecutor(processes) as pool:
            _report(pool.map(Job.run, stale), len(stale))
    else:
        _report((job.run() for job in stale), len(stale))
    folders = {job.case.name: job.folder for job in jobs}
    opened = {part: [open_case(folders[case.name]) for case in parts[part]] for part in PARTS}
    _check(opened, config)
    with _writing(cache_folder), atomic(cache_folder / f"fingerprint-{config.name}.json") as aside:
        aside.write_text(json.dumps(fingerprint(config, opened), indent=1), "utf-8")
    return opened


def _check(parts: dict[str, list[CachedCase]], config: Config) -> None:
    """What only the prepared cases can tell."""
    seen: dict[str, tuple[str, str]] = {}
    may_be_empty = {dataset.name for dataset in config.data.datasets if dataset.may_be_empty}
    if not any(case.record.voxels["target"] for case in parts["training"]):
        raise SpineError("No training case has a labelled voxel: there is nothing to learn.")
    for part, cases in parts.items():
        for record in (case.record for case in cases):
            if part == "training" and not record.voxels["target"] and record.dataset not in may_be_empty:
                raise SpineError(
                    f'The case "{record.name}" has no labelled voxel: exclude it from its data set, or set '
                    '"may_be_empty: true" there, if that is right.'
                )
            planes = [plane for plane, axis in SLICE_AXIS.items() if record.shape[axis] == 1]
            if planes and config.plane not in planes:
                raise SpineError(f'The case "{record.name}" is a single {planes[0]} slice: set "plane: {planes[0]}".')
            name, other = seen.setdefault(record.voxel_hash, (record.name, part))
            if other != part:
                raise SpineError(
                    f'"{name}" ({other}) and "{record.name}" ({part}) are the same image under two names: '
                    "exclude one of them, or put both into the same part."
                )


def _report(done: Iterable[str], total: int) -> None:
    for number, name in enumerate(done, start=1):
        _log.info(f"prepared {number} of {total}: {name}")


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    """Turns what the operating system refuses, a full disk above all, into a sentence."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise SpineError(f'"{folder}" cannot be written ({error.strerror or error}): make room, then go on.') from error


@dataclass(frozen=True)
class Job:
    """A case to be prepared."""

    case: Case
    input: Input
    labels: tuple[Label, ...]
    cache_folder: Path

    @property
    def folder(self) -> Path:
        """Where the case is cached: settings that give other arrays give another folder."""
        rules = {"ignore_labels", "background_labels", "unlabelled_above", "ignore_below_mm", "layout", "spacing_mm"}
        rules |= {
            rule
            for rule in ("body_in_front_of", "known_labels", "channel")
            if getattr(self.case.dataset, rule) is not None
        }
        rules |= {"unlabelled"} if self.case.dataset.unlabelled else set()
        settings = {
            "format": FORMAT,
            "spacing_mm": self.input.spacing_mm,
            "intensity": {name: value for name, value in asdict(self.input.intensity).items() if value is not None},
            "bias_correction": self.input.bias_correction,
            "targets": self.case.dataset.model_dump(mode="json", include=rules),
            "values": [self.case.dataset.values_of(label) for label in self.labels],
        }
        key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
        return self.cache_folder / key / self.case.dataset.name / self.case.name

    def is_fresh(self) -> bool:
        """Whether it has been prepared from the files as they are."""
        record = read_record(self.folder)
        return record is not None and record.source == self._source()

    def _source(self) -> list[list]:
        files = [(path.name, path.stat()) for path in (self.case.image, self.case.labels)]
        return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in files]

    def run(self) -> str:
        """Prepare the case into its folder, which appears only when it is complete. Returns the case's name.

        Several processes may do so at the same time: what the first one has made stays, for it may be in use already.
        """
        if self.is_fresh():
            return self.case.name
        image, labels = self.case.read()
        try:
            volume, target = self._arrays(image, canonical(labels))
        except SpineError as error:
            raise SpineError(f'The case "{self.case.name}" cannot be used: {error}') from None
        record = self._record(image, volume, target)
        with _writing(self.folder.parent):
            aside = Path(tempfile.mkdtemp(prefix=f".{self.folder.name}-", dir=self.folder.parent))
            try:
                np.save(aside / "image.npy", sitk.GetArrayViewFromImage(volume).astype(np.float16))
                np.save(aside / "target.npy", target)
                write_record(aside, record)
                with suppress(OSError):  # there is one
                    aside.rename(self.folder)
                if not self.is_fresh():
                    shutil.rmtree(self.folder, ignore_errors=True)
                    aside.rename(self.folder)
            finally:
                shutil.rmtree(aside, ignore_errors=True)
        return self.case.name

    def _arrays(self, image: sitk.Image, labels: sitk.Image) -> tuple[sitk.Image, np.ndarray]:
        """The normalised volume and its target; `labels` are canonical."""
        spec = self.input
        thesis = spec.intensity.rule == THESIS_RULE
        rule = IntensityRule("minmax") if thesis else spec.intensity
        volume = preprocess(image, spec.spacing_mm, rule, spec.bias_correction)
        if thesis:
            volume = self._as_in_the_thesis(volume, labels)
        volume = _isotropic(volume, spec.spacing_mm)
        on_grid, canal = _labels_on(volume, labels), self.case.read_canal()
        drawn = None if canal is None else _labels_on(volume, canonical(canal)) > 0
        return volume, training_target(on_grid, spacing_ipl(volume), self.case.dataset, self.labels, drawn)

    def _as_in_the_thesis(self, volume: sitk.Image, labels: sitk.Image) -> sitk.Image:
        # The min-max of eq. 4.4 undoes any linear function of the intensities, the z-score before it and the one
        # of `preprocess` too: what is computed here in full is what the rule minmax gives without a mask.
        vertebrae = is_target(class_map(_labels_on(volume, labels), self.case.dataset, self.labels))
        normalised = sitk.GetImageFromArray(thesis_normalise(sitk.GetArrayViewFromImage(volume), vertebrae))
        normalised.CopyInformation(volume)
        return normalised

    def _record(self, image: sitk.Image, volume: sitk.Image, target: np.ndarray) -> CaseRecord:
        source, normalised = sitk.GetArrayViewFromImage(image), sitk.GetArrayViewFromImage(volume)
        percentiles = zip(_PERCENTILES, np.percentile(source, _PERCENTILES), strict=True)
        each_class = [target == number for number in range(1, len(self.labels) + 1)]
        return CaseRecord(
            name=self.case.name,
            patient=self.case.patient,
            dataset=self.case.dataset.name,
            source=self._source(),
            native_size=list(image.GetSize()),
            native_spacing_mm=list(image.GetSpacing()),
            shape=list(target.shape),
            spacing_mm=list(spacing_ipl(volume)),
            percentiles={f"{p:g}": float(value) for p, value in percentiles},
            background=float(np.float16(normalised.min())),
            voxels={
                "background": int(target.size - is_target(target).sum() - (target == IGNORE).sum()),
                "target": int(is_target(target).sum()),
                "ignored": int((target == IGNORE).sum()),
            },
            evaluated_slices=list(evaluated_slices(target, self.case.dataset, self.labels)),
            class_pixels={
                plane: [mask.sum(axis=tuple({0, 1, 2} - {axis})).tolist() for mask in each_class]
                for plane, axis in SLICE_AXIS.items()
            },
            voxel_hash=voxel_hash(image),
        )


def voxel_hash(image: sitk.Image) -> str:
    """The same for two images with the same voxels, whatever their names and their place in space."""
    voxels = np.ascontiguousarray(sitk.GetArrayViewFromImage(image))
    return hashlib.sha256(f"{voxels.shape} {voxels.dtype}".encode() + voxels.tobytes()).hexdigest()[:32]


def _isotropic(image: sitk.Image, spacing_mm: float) -> sitk.Image:
    # Inference resamples the two in-plane axes of each plane; here every plane is cut from the same volume. What is
    # a single slice stays one.
    single = [plane for plane, axis in SLICE_AXIS.items() if image.GetSize()[2 - axis] == 1]
    for plane in single[:1] or ("sagittal", "axial"):
        image = resample(image, plane_grid(image, plane, spacing_mm))
    return image


def _labels_on(volume: sitk.Image, labels: sitk.Image) -> np.ndarray:
    on_grid = sitk.Resample(labels, volume, sitk.Transform(), sitk.sitkNearestNeighbor, 0)
    return sitk.GetArrayFromImage(on_grid)


def fingerprint(config: Config, parts: dict[str, list[CachedCase]]) -> dict:
    """What was trained on, in numbers: goes into the run's folder and, shortened, into the package."""
    training = [case.record for case in parts["training"]]
    spacings = np.array([record.native_spacing_mm for record in training])
    shapes = np.array([record.shape for record in training])
    voxels = {name: sum(record.voxels[name] for record in training) for name in ("background", "target", "ignored")}
    datasets = {}
    for record in training:
        datasets[record.dataset] = datasets.get(record.dataset, 0) + 1
    return {
        "training_cases": {name: sorted(r.name for r in training if r.dataset == name) for name in datasets},
        "validation_cases": sorted(case.record.name for case in parts["validation"]),
        "test_cases": sorted(case.record.name for case in parts["test"]),
        "native_spacing_mm": {
            "min": spacings.min(0).tolist(),
            "median": np.median(spacings, 0).tolist(),
            "max": spacings.max(0).tolist(),
        },
        "shape_ipl": {
            "min": shapes.min(0).tolist(),
            "median": np.median(shapes, 0).tolist(),
            "max": shapes.max(0).tolist(),
        },
        "intensity_percentiles": {record.name: record.percentiles for record in training},
        "voxels": voxels,
        "target_fraction": voxels["target"] / max(1, voxels["target"] + voxels["background"]),
        "slices_with_target": {
            plane: sum(int(np.count_nonzero(np.sum(record.class_pixels[plane], axis=0))) for record in training)
            for plane in SLICE_AXIS
        },
        "class_voxels": {
            label.name: sum(sum(record.class_pixels["axial"][number]) for record in training)
            for number, label in enumerate(config.model_info.labels)
        },
        "input": config.input.model_dump(mode="json"),
    }
