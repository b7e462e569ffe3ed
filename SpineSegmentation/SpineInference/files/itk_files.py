"""The one place where ITK opens an image file: one clear sentence when that fails, and silence otherwise.

ITK reads DICOM, PNG, JPEG and TIFF; NIfTI, NRRD and MetaImage are read in `formats`. ITK and the C libraries in it
print warnings straight to the standard error of the process, which would tear a progress bar apart; what matters in
them is checked by `picture_file.py` and `dicom.py` instead.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import SimpleITK as sitk

from ..errors import SpineError
from ..memory import enough_memory, is_out_of_memory


@contextmanager
def silent() -> Iterator[None]:
    """Keep ITK's warnings, and what its C libraries print to standard error, off the screen."""
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        with _standard_error_discarded():
            yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


@contextmanager
def _standard_error_discarded() -> Iterator[None]:
    try:
        original = os.dup(2)
    except OSError:  # a Windows program without a console has no standard error
        yield
        return
    try:
        if sys.stderr is not None:
            sys.stderr.flush()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(original, 2)
        os.close(original)


def itk_name(path: Path) -> str:
    """The name of a file as ITK takes it. Raises SpineError for one that would end the process: it is not UTF-8."""
    name = str(path)
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise SpineError(f"{name}: its name is not written in UTF-8 and so cannot be used here, rename it.") from None
    return name


def open_header(path: Path, image_io: str) -> sitk.ImageFileReader:
    """A reader for `path` that knows its size, spacing and metadata, without the voxels.

    `image_io` is ITK's name of the format, such as "PNGImageIO". Raises RuntimeError, as ITK does, and SpineError.
    """
    reader = sitk.ImageFileReader()
    reader.SetImageIO(image_io)
    reader.SetFileName(itk_name(path))
    with silent():
        reader.ReadImageInformation()
    return reader


def read_pixels(reader: sitk.ImageFileReader | sitk.ImageSeriesReader, path: Path) -> sitk.Image:
    """The image of `reader`, without the metadata of the file: a patient's name must not travel into results.

    Raises SpineError, with the name of `path`, when the image cannot be read to its end.
    """
    with enough_memory(path):
        try:
            with silent():
                image = reader.Execute()
        except RuntimeError as error:
            if is_out_of_memory(error):
                raise
            raise SpineError(f"{path}: the file is truncated or corrupt, copy or export it again.") from error
    for key in image.GetMetaDataKeys():
        with suppress(TypeError):  # a key that is not UTF-8 cannot even be named to SimpleITK
            image.EraseMetaData(key)
    return image
