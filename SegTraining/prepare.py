"""Prepares data sets for training: every case through the runtime's own preprocessing into the cache, once."""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from SpineInference.errors import SpineError
from SpineInference.geometry import SLICE_AXIS, canonical, plane_grid, resample, spacing_ipl
from SpineInference.preprocessing import preprocess

from .cache import FORMAT, CachedCase, CaseRecord, open_case, read_record, write_record
from .config import Config, Input
from .datasets import PARTS, Case, split_cases
from .targets import IGNORE, labelled_rows, training_target

_PERCENTILES = (0.0, 0.5, 50.0, 99.5, 100.0)


def prepare(config: Config, data_folder: Path, cache_folder: Path, processes: int = 1) -> dict[str, list[CachedCase]]:
    """Prepare whatever is not in the cache yet; the cases of "training", "validation" and "test".

    Also writes `fingerprint.json` beside the cases. Raises SpineError for data that cannot be used.
    """
    parts = split_cases(config.data, data_folder)
    jobs = [
        (case, config.input, case_folder(case, config.input, cache_folder)) for part in PARTS for case in parts[part]
    ]
    stale = [job for job in jobs if not _is_fresh(*job)]
    if processes > 1 and len(stale) > 1:
        with ProcessPoolExecutor(processes) as pool:
            _report(pool.map(_prepare_case, *zip(*stale, strict=True)), len(stale))
    else:
        _report((_prepare_case(*job) for job in stale), len(stale))
    opened = {
        part: [open_case(case_folder(case, config.input, cache_folder)) for case in parts[part]] for part in PARTS
    }
    for case in opened["training"]:
        if not case.record.voxels["target"]:
            raise SpineError(f'The case "{case.record.name}" has no labelled voxel: leave it out of the training.')
    _write_json(cache_folder / f"fingerprint-{config.name}.json", fingerprint(config, opened))
    return opened


def _report(done: Iterable[str], total: int) -> None:
    for number, name in enumerate(done, start=1):
        print(f"prepared {number} of {total}: {name}", flush=True)


def case_folder(case: Case, spec: Input, cache_folder: Path) -> Path:
    """Where `case` is cached: settings that give other arrays give another folder."""
    settings = {
        "format": FORMAT,
        "spacing_mm": spec.spacing_mm,
        "intensity": asdict(spec.intensity),
        "bias_correction": spec.bias_correction,
        "targets": case.dataset.model_dump(
            mode="json", include={"ignore_labels", "unlabelled_above", "ignore_below_mm"}
        ),
    }
    key = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]
    return cache_folder / key / case.dataset.name / case.name


def _is_fresh(case: Case, spec: Input, folder: Path) -> bool:
    record = read_record(folder)
    return record is not None and record.source == _source(case)


def _source(case: Case) -> list[list]:
    files = [(path.name, path.stat()) for path in (case.image, case.labels)]
    return [[name, stat.st_size, stat.st_mtime_ns] for name, stat in files]


def _prepare_case(case: Case, spec: Input, folder: Path) -> str:
    """Prepare one case into `folder`, which appears only when it is complete. Returns the case's name."""
    image, labels = case.read()
    volume = _isotropic(preprocess(image, spec.spacing_mm, spec.intensity, spec.bias_correction), spec.spacing_mm)
    spacing = spacing_ipl(volume)
    target = training_target(_labels_on(volume, canonical(labels)), spacing, case.dataset)
    normalised = sitk.GetArrayViewFromImage(volume).astype(np.float16)
    source = sitk.GetArrayViewFromImage(image)
    record = CaseRecord(
        name=case.name,
        patient=case.patient,
        dataset=case.dataset.name,
        source=_source(case),
        native_size=list(image.GetSize()),
        native_spacing_mm=list(image.GetSpacing()),
        shape=list(normalised.shape),
        spacing_mm=list(spacing),
        percentiles={
            f"{p:g}": float(v) for p, v in zip(_PERCENTILES, np.percentile(source, _PERCENTILES), strict=True)
        },
        background=float(normalised.min()),
        voxels={
            name: int((target == value).sum())
            for name, value in (("background", 0), ("target", 1), ("ignored", IGNORE))
        },
        labelled_rows=list(labelled_rows(target)),
        target_pixels={
            plane: (target == 1).sum(axis=tuple({0, 1, 2} - {axis})).tolist() for plane, axis in SLICE_AXIS.items()
        },
    )
    folder.parent.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        np.save(aside / "image.npy", normalised)
        np.save(aside / "target.npy", target)
        write_record(aside, record)
        shutil.rmtree(folder, ignore_errors=True)
        aside.rename(folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
    return case.name


def _isotropic(image: sitk.Image, spacing_mm: float) -> sitk.Image:
    # Inference resamples the two in-plane axes of each plane; here every plane is cut from the same volume.
    for plane in ("sagittal", "axial"):
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
            plane: sum(int(np.count_nonzero(record.target_pixels[plane])) for record in training)
            for plane in SLICE_AXIS
        },
        "input": config.input.model_dump(mode="json"),
    }


def _write_json(path: Path, content: dict) -> None:
    aside = path.with_name(f".{path.name}.tmp")
    aside.write_text(json.dumps(content, indent=1), "utf-8")
    os.replace(aside, path)
