"""What is written for a scan: label map, segmentation, measurements, pictures, and the record of the run."""

import importlib.util
import json
import platform
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path

import SimpleITK as sitk

from .. import __version__
from ..files.atomic import atomic
from ..files.dicom_seg import write_dicom_seg
from ..files.markups import Point, write_curve, write_points
from ..files.result_folder import PROGRAM, RECORD_SUFFIX, result_folder, sha256
from ..files.writing import write_labelmap, write_segmentation
from ..measuring.measurements import as_json, write_csv
from ..measuring.morphometry import tables
from ..measuring.morphometry.canal import canal_centreline
from ..measuring.morphometry.disc_points import disc_points, level_image
from ..monitor import Monitor
from ..result import Result
from .record import Record, UsedDevice
from .requests import Request

_PACKAGES = ("numpy", "scipy", "SimpleITK", "openvino", "onnxruntime", "torch")


def write_result(
    result: Result, scan: sitk.Image, folder: Path, request: Request, monitor: Monitor | None = None
) -> Record:
    """Write `result` into `folder`, all of it or nothing, and return its record, which lists the files by kind.

    The files are named after the folder: "labels" NAME_labels.nii.gz (or .nrrd), "segmentation" NAME.seg.nrrd,
    "measurements" NAME_measurements.csv and, where there are vertebrae, "centres" NAME_centres.mrk.json, "morphometry"
    NAME_morphometry.csv and "morphometry_json" NAME_morphometry.json.
    If asked for "dicom_seg" NAME_seg.dcm, "structured_report" NAME_sr.dcm, "disc_points" NAME_disc_points.mrk.json,
    "level_points" NAME_disc_points.nii.gz, "canal_line" NAME_canal.mrk.json, "overview" NAME_overview.png,
    "morphometry_picture" NAME_morphometry.png, "report" NAME_report.html and "thumbnail" NAME_thumbnail.jpg.
    The "record" is NAME_result.json. Raises SpineError for a folder that cannot be written or holds files of somebody
    else (see `result_folder`).
    """
    with result_folder(folder) as temporary:
        files = _Files(temporary, folder.name)
        _write_tables(files, result, request)
        if request.dicom and result.segments:
            _write_dicom(files, result, scan, request)
        if request.points:
            result = replace(result, notes=[*result.notes, *_write_points(files, result, monitor or Monitor())])
        # Slicer's own Python has no matplotlib, and looks at the result in better ways.
        if request.overview and importlib.util.find_spec("matplotlib") is not None:
            _write_pictures(files, result, scan)
        if request.report:
            from ..reports.scan_page import write_report

            write_report(
                scan, result, folder.name, files["report", "_report.html"], files["thumbnail", "_thumbnail.jpg"]
            )
        record = _record(files, result, request)
        with atomic(temporary / f"{folder.name}{RECORD_SUFFIX}") as path:
            path.write_text(json.dumps(asdict(record), indent=2, allow_nan=False) + "\n", encoding="ascii")
    return record


class _Files:
    """The files of a result by kind; to name one that is to be written is to list it."""

    def __init__(self, folder: Path, name: str):
        self._folder, self.name = folder, name
        self.by_kind: dict[str, Path] = {}

    def __getitem__(self, kind_and_suffix: tuple[str, str]) -> Path:
        kind, suffix = kind_and_suffix
        return self.by_kind.setdefault(kind, self._folder / f"{self.name}{suffix}")


def _write_tables(files: _Files, result: Result, request: Request) -> None:
    suffix = "nrrd" if request.format == "nrrd" else "nii.gz"
    write_labelmap(result.labels, files["labels", f"_labels.{suffix}"])
    write_segmentation(result.labels, result.segments, files["segmentation", ".seg.nrrd"])
    write_csv(result.measurements, files["measurements", "_measurements.csv"])
    rows = result.measurements.vertebrae
    centres = [Point(row.level, row.centroid_lps_mm) for row in rows if row.centroid_lps_mm is not None]
    if centres:
        write_points(centres, files["centres", "_centres.mrk.json"])
    if result.morphometry:
        tables.write_csv(result.morphometry, files["morphometry", "_morphometry.csv"])
        tables.write_json(result.morphometry, files["morphometry_json", "_morphometry.json"])


def _write_dicom(files: _Files, result: Result, scan: sitk.Image, request: Request) -> None:
    labels = result.labels, result.segments
    segmentation = write_dicom_seg(*labels, scan, files["dicom_seg", "_seg.dcm"], result.labels_given is not None)
    if request.structured_report:
        from ..reports.dicom_sr import write_dicom_sr

        write_dicom_sr(result, segmentation, scan, files["structured_report", "_sr.dcm"])


def _write_points(files: _Files, result: Result, monitor: Monitor) -> list[str]:
    """Returns notes about what the points rest on."""
    notes: list[str] = []
    monitor = monitor.collecting(notes)
    points = disc_points(result.labels, result.segments, result.morphometry)
    if points:
        between_bodies = "from the corners of the bodies beside it"
        marked = [
            Point(point.at, point.tip, ", ".join([between_bodies] * point.of_bodies + list(point.marks)))
            for point in points
        ]
        write_points(marked, files["disc_points", "_disc_points.mrk.json"])
        levels = level_image(points, result.labels)
        if sitk.GetArrayViewFromImage(levels).any():
            write_labelmap(levels, files["level_points", "_disc_points.nii.gz"])
        else:
            monitor.note("There is no label map of disc points: it needs levels, and the vertebrae are only numbered.")
    if centreline := canal_centreline(result.labels):
        write_curve("Canal", centreline, files["canal_line", "_canal.mrk.json"])
    if derived := [point.at for point in points if point.of_bodies]:
        monitor.note(
            f"Not segmented: the discs {', '.join(derived)}. Their posterior tips are taken in the middle between the "
            "posterior corners of the bodies beside them; discs reach 1 mm farther back, up to 5 where they bulge."
        )
    return notes


def _write_pictures(files: _Files, result: Result, scan: sitk.Image) -> None:
    from ..picture.morphometry_picture import write_morphometry_picture
    from ..picture.overview import write_overview

    write_overview(scan, result, files.name, files["overview", "_overview.png"])
    if result.morphometry:
        write_morphometry_picture(scan, result, files.name, files["morphometry_picture", "_morphometry.png"])


def _record(files: _Files, result: Result, request: Request) -> Record:
    return Record(
        scan=request.input,
        request=request,
        segments=result.segments,
        partial=sorted(result.partial),
        measurements=as_json(result.measurements),
        dice_per_slice=result.dice_per_slice,
        models=result.models,
        planes=result.planes,
        device=UsedDevice(str(result.device), result.device.name, result.device.reason, result.engine),
        seconds={stage: round(seconds, 3) for stage, seconds in result.timings.items()},
        notes=result.notes,
        versions=_versions(),
        contents={kind: path.name for kind, path in files.by_kind.items()},
        files={path.name: sha256(path) for path in files.by_kind.values()},
        placement=result.placement,
        shading_removed=result.shading_removed,
        model_checksums=result.model_checksums,
        labels_given=result.labels_given,
    )


def _versions() -> dict[str, str]:
    versions = {PROGRAM: __version__, "Python": platform.python_version(), "system": platform.platform()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # not needed on this computer
    return versions
