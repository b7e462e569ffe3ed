"""The benchmark's thick slices: means of thin ones, in the same place, with what was drawn at their middle."""

import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from tiny_training import as_image, make_dataset

from SpineInference.errors import SpineError
from SpineInference.volume.geometry import canonical

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

from thick_slices import main, thick_slices

POSITION = np.broadcast_to(np.arange(20, dtype=np.int16), (3, 4, 20))


@pytest.mark.parametrize("orientation", ["LPI", "RAS", "PIR"])
def test_thick_slice_is_the_mean_at_its_place(orientation):
    image = as_image(POSITION, orientation)
    found, labels = thick_slices(image, sitk.Cast(image, sitk.sitkUInt8), thickness_mm=4, distance_mm=4.5)
    values = sitk.GetArrayFromImage(found)
    assert values.shape == (3, 4, 4) and np.allclose(values[1, 2], [1.5, 6.0, 10.5, 15.0])
    assert sitk.GetArrayFromImage(labels)[0, 0].tolist() == [2, 6, 11, 15]
    assert np.allclose(found.GetSpacing(), (4.5, 1, 1)) and found.GetDirection() == canonical(image).GetDirection()
    # The value of this image is where it is, in mm.
    start = canonical(image).TransformIndexToPhysicalPoint((0, 0, 0))
    middle = found.TransformIndexToPhysicalPoint((2, 0, 0))
    assert np.linalg.norm(np.subtract(middle, start)) == pytest.approx(10.5)


def test_too_narrow_or_thick_scan_is_refused():
    image = as_image(POSITION)
    with pytest.raises(SpineError, match="cannot be made"):
        thick_slices(image, image, thickness_mm=30, distance_mm=30)
    with pytest.raises(SpineError, match="cannot be made"):
        thick_slices(image, image, thickness_mm=0.5, distance_mm=1)


def test_thick_data_set_overwrites_none(tmp_path, capsys):
    source, target = make_dataset(tmp_path) / "Dataset001_Blocks", tmp_path / "thick" / "Dataset001_Blocks"
    assert main([str(source), str(target), "--cases", "b", "d"]) == 0
    assert [path.name for path in sorted((target / "imagesTr").iterdir())] == ["b_0000.nii.gz", "d_0000.nii.gz"]
    assert sitk.ReadImage(target / "instancesTr" / "b.nii.gz").GetSize() == (8, 40, 64)
    assert main([str(source), str(target)]) == 2 and "exists already" in capsys.readouterr().err
    assert main([str(source), str(tmp_path / "new"), "--cases", "z"]) == 2 and '"z"' in capsys.readouterr().err
