"""What is written for a scan: label map, segmentation, measurements, the record of the run, and a picture."""

import importlib.util
import json
import platform
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

import SimpleITK as sitk

from .. import __version__
from ..files.atomic import atomic
from ..files.dicom_seg import write_dicom_seg
from ..files.markups import write_points
from ..files.result_folder import PROGRAM, RECORD_SUFFIX, result_folder, sha256
from ..files.writing import write_labelmap, write_segmentation
from ..measuring.measurements import as_json, write_csv
from ..measuring.morphometry import tables
from ..pipeline import Result
from .record import Record, UsedDevice
from .requests import Request

_PACKAGES = ("numpy", "scipy", "SimpleITK", "openvino", "onnxruntime", "torch")


def write_result(result: Result, scan: sitk.Image, folder: Path, request: Request) -> Record:
    """Write `result` into `folder`, all of it or nothing, and return its record, which lists the files by kind.

    The files are named after the folder: "labels" NAME_labels.nii.gz (or .nrrd), "segmentation" NAME.seg.nrrd,
    "measurements" NAME_measurements.csv and, if asked for, "overview" NAME_overview.png and "dicom_seg" NAME_seg.dcm.
    Where there are vertebrae also "centres" NAME_centres.mrk.json, "morphometry" NAME_morphometry.csv,
    "morphometry_json" NAME_morphometry.json and "morphometry_picture" NAME_morphometry.png. The "record" is
    NAME_result.json. Raises SpineError for a folder that cannot be written or holds files of somebody else (see
    `result_folder`).
    """
    name = folder.name
    with result_folder(folder) as temporary:
        files = {
            "labels": temporary / f"{name}_labels.{'nrrd' if request.format == 'nrrd' else 'nii.gz'}",
            "segmentation": temporary / f"{name}.seg.nrrd",
            "measurements": temporary / f"{name}_measurements.csv",
        }
        write_labelmap(result.labels, files["labels"])
        write_segmentation(result.labels, result.segments, files["segmentation"])
        write_csv(result.measurements, files["measurements"])
        if request.format == "dicom-seg" and result.segments:
            files["dicom_seg"] = temporary / f"{name}_seg.dcm"
            write_dicom_seg(result.labels, result.segments, scan, files["dicom_seg"])
        centres = {
            row.level: row.centroid_lps_mm for row in result.measurements.vertebrae if row.centroid_lps_mm is not None
        }
        if centres:
            files["centres"] = temporary / f"{name}_centres.mrk.json"
            write_points(centres, files["centres"])
        if result.morphometry:
            files["morphometry"] = temporary / f"{name}_morphometry.csv"
            files["morphometry_json"] = temporary / f"{name}_morphometry.json"
            tables.write_csv(result.morphometry, files["morphometry"])
            tables.write_json(result.morphometry, files["morphometry_json"])
        # Slicer's own Python has no matplotlib, and looks at the result in better ways.
        if request.overview and importlib.util.find_spec("matplotlib") is not None:
            from ..picture.morphometry_picture import write_morphometry_picture
            from ..picture.overview import write_overview

            files["overview"] = temporary / f"{name}_overview.png"
            write_overview(scan, result, name, files["overview"])
            if result.morphometry:
                files["morphometry_picture"] = temporary / f"{name}_morphometry.png"
                write_morphometry_picture(scan, result, name, files["morphometry_picture"])
        record = Record(
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
            contents={kind: path.name for kind, path in files.items()},
            files={path.name: sha256(path) for path in files.values()},
            placement=result.placement,
            shading_removed=result.shading_removed,
            model_checksums=result.model_checksums,
        )
        with atomic(temporary / f"{name}{RECORD_SUFFIX}") as path:
            path.write_text(json.dumps(asdict(record), indent=2, allow_nan=False) + "\n", encoding="ascii")
    return record


def _versions() -> dict[str, str]:
    versions = {PROGRAM: __version__, "Python": platform.python_version(), "system": platform.platform()}
    for package in _PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue  # not needed on this computer
    return versions
