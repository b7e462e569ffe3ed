"""A request: everything the segmentation of one scan needs to know, as a dataclass and as one line of JSON.

The JSON is read strictly, and everything that can be wrong with a request is found here, before anything heavy is
imported and before any work.
"""

import dataclasses
import importlib.util
import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ..errors import SpineError
from ..files.result_folder import check_output
from ..files.temporary import check_owned
from ..options import SegmentationOptions
from ..schema import parse_json


@dataclass(frozen=True)
class Request:
    """Segment the scan `input` into the folder `output` with these `options`.

    `output` becomes a folder with the files of the result, which are named after it; see `result_folder` for what
    happens to a folder that exists. `reference`: a mask of the same scan to compare with. `labels`: a label map of the
    same scan to be measured in place of what a model would find (see `given_labels`); of the `options` those for a
    single slice and the threads count then. `format`: of the label map;
    "dicom-seg" adds a DICOM segmentation to one in NIfTI. `structured_report`: whether the measures are written as a
    DICOM structured report, together with the DICOM segmentation that it refers to. `points`: whether the tips of the
    discs and the line of the canal are written. `overview`: whether a picture of the result is drawn. `report`: whether
    a page about the result is written.
    `own_folder`: a folder that was made for this request alone, with `input` and `output` in it; the worker removes it
    where the request is cancelled.
    """

    input: str
    output: str
    options: SegmentationOptions = field(default_factory=SegmentationOptions)
    reference: str | None = None
    labels: str | None = None
    format: Literal["nii.gz", "nrrd", "dicom-seg"] = "nii.gz"
    structured_report: bool = False
    points: bool = False
    overview: bool = True
    report: bool = False
    own_folder: str | None = None

    @property
    def dicom(self) -> bool:
        """Whether anything is written as DICOM."""
        return self.format == "dicom-seg" or self.structured_report


def read_request(line: str | bytes) -> Request:
    """The request in one line of JSON (UTF-8), checked. Raises SpineError."""
    request = parse_json(line, Request, "the request")
    check_request(request)
    return request


def to_json(request: Request) -> str:
    """The request as the one line of JSON that `read_request` reads, in ASCII: no name of a file can break it."""
    return json.dumps(dataclasses.asdict(request))


def check_request(request: Request) -> None:
    """Raise SpineError for a request that cannot be carried out, as far as that can be told without the scan."""
    files = (("scan", request.input), ("reference mask", request.reference), ("label map", request.labels))
    for what, path in files:
        # "folder#series" names one of several DICOM series in a folder (see `dicom.split_selector`).
        if path is not None and not os.path.exists(path) and not os.path.exists(path.rpartition("#")[0]):
            raise SpineError(f"the {what} {path} does not exist: check the path.")
    if request.dicom:
        _check_installed("highdicom", "DICOM segmentations and structured reports are written", "without them")
    if request.report:
        for package in ("jinja2", "matplotlib"):
            _check_installed(package, "the report is written", "without it")
    check_output(Path(request.output))
    if request.own_folder is not None:
        check_owned(request.own_folder, (request.input, request.output), "input and output")


def _check_installed(package: str, what: str, otherwise: str) -> None:
    if importlib.util.find_spec(package) is None:
        raise SpineError(
            f"{what} with {package}, which is not installed: pip install {package}, or run it again {otherwise}."
        )
