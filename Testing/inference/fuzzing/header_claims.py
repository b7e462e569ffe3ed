"""What other readers take a file for: ITK, and pydicom for DICOM."""

import warnings
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from header_mutations import Scan

SAGITTAL = (0, 1, 0, 0, 0, -1)
LIMIT = 2e-3
"""Numbers in headers are rounded."""
SFORM_LIMIT = 0.03
"""Where the sform of a NIfTI file differs by less from pixdim, ITK takes pixdim for the spacing, nibabel the sform."""
SLOPE_LIMIT = 1e-7
"""ITK takes a smaller slope for none."""


def same(image: sitk.Image, other: sitk.Image, limit: float = LIMIT) -> bool:
    """Whether two volumes have the same voxels at the same place, spacing and direction up to a `limit`."""
    if image.GetSize() != other.GetSize():
        return False
    pairs = [(getattr(image, what)(), getattr(other, what)(), limit) for what in ("GetSpacing", "GetDirection")]
    pairs.append((image.GetOrigin(), other.GetOrigin(), LIMIT))
    pairs.append((sitk.GetArrayViewFromImage(image), sitk.GetArrayViewFromImage(other), LIMIT))
    return all(np.allclose(one, another, rtol=1e-5, atol=atol) for one, another, atol in pairs)


def claimed(scan: Scan, image: sitk.Image) -> bool:
    """Whether another reader finds in `scan` what `image` holds."""
    try:
        with warnings.catch_warnings(action="ignore"):
            other = _by_pydicom(scan.headers) if scan.path.is_dir() or not scan.path.suffix else _by_itk(scan.path)
    except Exception as error:  # whatever it is, there is nothing to compare with
        print("  (the other reader:", repr(error)[:150] + ")")
        return False
    if scan.path.name.endswith((".nii", ".nii.gz")):
        return same(image, other, SFORM_LIMIT)
    if any(b"MONOCHROME1" in path.read_bytes() for path in scan.headers):
        other += float(sitk.GetArrayViewFromImage(image).min() - sitk.GetArrayViewFromImage(other).min())
    return same(image, other)


def _by_itk(path: Path) -> sitk.Image:
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    image = sitk.ReadImage(str(path))
    slope = float(image.GetMetaData("scl_slope")) if image.HasMetaDataKey("scl_slope") else 1
    return sitk.Cast(image, sitk.sitkFloat64) * slope if 0 < abs(slope) < SLOPE_LIMIT else image


def _by_pydicom(paths: list[Path]) -> sitk.Image:
    """Single images or frames in their order along the normal; the first position is that of the lowest."""
    slices = []
    for path in paths:
        header = pydicom.dcmread(path, force=True)
        pixels = header.pixel_array * float(header.get("RescaleSlope", 1)) + float(header.get("RescaleIntercept", 0))
        if header.get("PhotometricInterpretation") == "MONOCHROME1":
            pixels = -pixels  # from whichever value on
        if "PerFrameFunctionalGroupsSequence" in header:
            shared = header.SharedFunctionalGroupsSequence[0]
            axes = shared.PlaneOrientationSequence[0].ImageOrientationPatient
            measures = shared.PixelMeasuresSequence[0]
            places = [f.PlanePositionSequence[0].ImagePositionPatient for f in header.PerFrameFunctionalGroupsSequence]
        else:
            axes, places = (
                header.get("ImageOrientationPatient", SAGITTAL),
                [header.get("ImagePositionPatient", (0, 0, 0))],
            )
            measures, pixels = header, [pixels]
        axes = np.array(axes, float).reshape(2, 3)
        normal = np.cross(*axes)
        for place, picture in zip(np.array(places, float), pixels, strict=True):
            spacing = measures.get("PixelSpacing") or measures.get("ImagerPixelSpacing")
            if "ImageOrientationPatient" not in header and spacing is None:
                spacing = (1, 1)
            slices.append((place @ normal, place, picture, axes, spacing, measures.get("SliceThickness", 1)))
    slices.sort(key=lambda entry: entry[0])
    height, origin, _, axes, (row_mm, column_mm), thickness = slices[0]
    step = (slices[-1][0] - height) / (len(slices) - 1) if len(slices) > 1 else float(thickness)
    image = sitk.GetImageFromArray(np.stack([entry[2] for entry in slices]))
    image.SetSpacing((float(column_mm), float(row_mm), step))
    image.SetOrigin(origin.tolist())
    image.SetDirection(np.stack([*axes, np.cross(*axes)], axis=1).ravel().tolist())
    return image
