"""What models find in scans, written as label maps on the scans' own grids. No reference is needed."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from SpineInference.anatomy import Segment
from SpineInference.app.batch import found_in_folder, plan
from SpineInference.app.requests import Request
from SpineInference.engines.engine_cache import EngineCache
from SpineInference.errors import NotAScan, SpineError
from SpineInference.files.reading import read_volume
from SpineInference.files.writing import write_labelmap, write_segmentation
from SpineInference.models.catalog import ModelSet
from SpineInference.options import SegmentationOptions
from SpineInference.specs import LabelSpec
from SpineInference.volume.geometry import canonical, restore

from ..data.datasets import Case
from .predicted_classes import predict

_log = logging.getLogger(__name__)

FORMATS = ("nii.gz", "nrrd", "seg.nrrd")
_FIRST_CHANNEL = "_0000"


@dataclass(frozen=True)
class NamedScan:
    """A scan that is read when its turn comes; `read` raises SpineError. `found`: in a folder, where it may be none."""

    name: str
    read: Callable[[], sitk.Image]
    found: bool = False


def scans_of_cases(cases: Sequence[Case]) -> list[NamedScan]:
    """The images of a data set's cases; their label maps are not looked at."""
    return [NamedScan(case.name, case.read_image) for case in cases]


def scans_at(paths: Sequence[str], output: Path) -> list[NamedScan]:
    """The scans that files, DICOM folders and folders of scans stand for. A path without any gives one that fails.

    They are called as their files, without the number of the channel that nnU-Net appends unless another scan has
    that name.
    """
    requests, failures = plan(paths, str(output), None, None, Request(input="", output=""))
    names = _without_channel([Path(request.output).name for request in requests])
    scans = [
        NamedScan(name, partial(read_volume, request.input), found_in_folder(request, paths))
        for name, request in zip(names, requests, strict=True)
    ]
    return scans + [NamedScan("", partial(_raise, failure)) for failure in failures]


def _without_channel(names: Sequence[str]) -> list[str]:
    """`names`, which differ, without the number of the first channel wherever they differ without it too."""
    taken = {name.casefold() for name in names}  # file systems may not tell upper from lower case
    result = []
    for name in names:
        short = name.removesuffix(_FIRST_CHANNEL)
        result.append(name if short.casefold() in taken else short)
        taken.add(short.casefold())
    return result


def predict_scans(
    model_set: ModelSet, scans: Sequence[NamedScan], output: Path, format_: str, options: SegmentationOptions
) -> None:
    """Write OUTPUT/NAME.FORMAT for every scan: the value of a label where it was found, 0 elsewhere.

    A scan that cannot be used does not stop the others. Raises SpineError at the end if there was one.
    """
    output.mkdir(parents=True, exist_ok=True)
    engines = EngineCache()
    failed = 0
    for number, scan in enumerate(scans, start=1):
        path = output / f"{scan.name}.{format_}"
        try:
            seconds = _predict(model_set, scan, path, options, engines)
        except Exception as error:
            if scan.found and isinstance(error, NotAScan):
                _log.warning(f"{number} of {len(scans)}: passed over: {error}")
                continue
            failed += 1
            unexpected = not isinstance(error, SpineError)
            _log.error(f"{number} of {len(scans)}: {scan.name or 'no scan'}: {error}", exc_info=unexpected)
        else:
            _log.info(f"{number} of {len(scans)}: {path}, {seconds:.1f} s")
    if failed:
        raise SpineError(f"{failed} of {len(scans)} scans have no prediction: see above.")


def _predict(
    model_set: ModelSet, scan: NamedScan, path: Path, options: SegmentationOptions, engines: EngineCache
) -> float:
    if path.exists():
        raise SpineError(f"{path} exists already: remove it, or choose another folder with --output.")
    image = scan.read()
    found = predict(image, model_set, options, engines)
    labels = model_set.recipe.labels
    label_map = restore(_label_map(found.classes, labels, canonical(image)), image)
    if path.name.endswith(".seg.nrrd"):
        write_segmentation(label_map, [Segment(x.value, x.name, x.colour, x.code, x.meaning) for x in labels], path)
    else:
        write_labelmap(label_map, path)
    return found.seconds


def _label_map(classes: np.ndarray, labels: Sequence[LabelSpec], like: sitk.Image) -> sitk.Image:
    """The classes 1, 2, ... as the values that the package gives its labels."""
    values = np.array([0, *(label.value for label in labels)])
    image = sitk.GetImageFromArray(values.astype(np.min_scalar_type(values.max()))[classes])
    image.CopyInformation(like)
    return image


def _raise(error: SpineError) -> sitk.Image:
    raise error
