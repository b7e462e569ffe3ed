"""A request: everything the segmentation of one scan needs to know, as a dataclass and as one line of JSON.

The JSON is read strictly, and everything that can be wrong with a request is found here, before anything heavy is
imported and before any work.
"""

import dataclasses
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from ..anatomy import parse_level
from ..errors import SpineError
from ..files.result_folder import check_output
from ..schema import parse_json
from ..specs import PostprocessingSpec

DEFAULT_MODEL = "vertebral-bodies-mr"
Plane = Literal["sagittal", "coronal", "axial"]
_DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


@dataclass(frozen=True)
class Request:
    """Segment the scan `input` into the folder `output`. None stands for the default of the model or the scan.

    `output` becomes a folder with the files of the result, which are named after it; see `result_folder` for
    what happens to a folder that exists. `model`: the name of a set in the catalog or the path of a package.
    `propose_levels`: without a level, vertebrae are named where the scan shows which they are, else numbered.
    `reference`: a mask of the same scan to compare with. `postprocessing` replaces that of the model as a whole.
    """

    input: str
    output: str
    model: str = DEFAULT_MODEL
    planes: tuple[Plane, ...] | None = None
    fusion: Literal["mean", "vote"] = "mean"
    device: str = "auto"
    precision: Literal["full", "int8"] = "full"
    top_level: str | None = None
    bottom_level: str | None = None
    propose_levels: bool = True
    bias_correction: bool | None = None
    reference: str | None = None
    format: Literal["nii.gz", "nrrd"] = "nii.gz"
    postprocessing: PostprocessingSpec | None = None
    threads: int | None = None
    overview: bool = True


def read_request(line: str | bytes) -> Request:
    """The request in one line of JSON (UTF-8), checked. Raises SpineError."""
    request = parse_json(line, Request, "the request")
    check_request(request)
    return request


def to_json(request: Request) -> str:
    """The request as the one line of JSON that `read_request` reads."""
    return json.dumps(dataclasses.asdict(request), ensure_ascii=False)


def check_request(request: Request) -> None:
    """Raise SpineError for a request that cannot be carried out, as far as that can be told without the scan."""
    for what, path in (("scan", request.input), ("reference mask", request.reference)):
        # "folder#series" names one of several DICOM series in a folder (see `dicom.split_selector`).
        if path is not None and not os.path.exists(path) and not os.path.exists(path.rpartition("#")[0]):
            raise SpineError(f"the {what} {path} does not exist: check the path.")
    check_choices(request)
    check_output(Path(request.output))


def check_choices(request: Request) -> None:
    """The part of `check_request` that is the same for all scans."""
    planes = request.planes
    if planes is not None and not (0 < len(planes) == len(set(planes) & set(get_args(Plane)))):
        raise SpineError("the planes must be one, two or three different ones: sagittal, coronal, axial.")
    if not _DEVICE.fullmatch(request.device):
        raise SpineError(f'"{request.device}" is not a device: use auto, cpu, cuda, cuda:N or mps.')
    for level in (request.top_level, request.bottom_level):
        if level is not None:
            parse_level(level)
    if request.threads is not None and request.threads < 1:
        raise SpineError(f"the number of threads must be at least 1, not {request.threads}.")
