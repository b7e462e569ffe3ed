"""NIfTI headers that contradict themselves, are silent or damaged: nibabel's answer, a note, or one sentence."""

import gzip
import math
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from refusals import refuse

from SpineInference.errors import SpineError
from SpineInference.files.reading import read_labels, read_volume
from SpineInference.formats import nifti
from SpineInference.monitor import Monitor
from SpineInference.volume.slice_placement import POSITION, unknown_of

VALUES = np.arange(6 * 7 * 8, dtype=np.int16).reshape(6, 7, 8)
AFFINE = np.array([[0, 0, 1.2, 10], [0.5, 0, 0, -20], [0, -0.75, 0, 30]], float)
"""RAS, mm: x to the front, y down, z to the right."""


def write(
    path: Path,
    values: np.ndarray = VALUES,
    sform: np.ndarray | None = AFFINE,
    quaternion: tuple[float, ...] | None = None,
    pixdim: tuple[float, ...] = (0.5, 0.75, 1.2),
    qfac: float = 1,
    units: int = 2,
    scale: tuple[float, float] = (1, 0),
    size: tuple[int, ...] | None = None,
) -> Path:
    """A NIfTI-1 file byte by byte; `quaternion` holds b, c, d and the offsets."""
    size = size or values.shape[::-1]
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    struct.pack_into("<8h", header, 40, len(size), *size, *[1] * (7 - len(size)))
    code = {"u1": 2, "i2": 4, "f4": 16, "f8": 64}[values.dtype.str[1:]]
    struct.pack_into("<2h", header, 70, code, 8 * values.itemsize)
    struct.pack_into(f"<{1 + len(pixdim)}f", header, 76, qfac, *pixdim)
    struct.pack_into("<3f", header, 108, 352, *scale)
    header[123] = units
    struct.pack_into("<2h", header, 252, quaternion is not None, sform is not None)
    struct.pack_into("<6f", header, 256, *(quaternion or [0] * 6))
    struct.pack_into("<12f", header, 280, *(np.zeros(12) if sform is None else sform.ravel()))
    header[344:348] = b"n+1\0"
    path.write_bytes(bytes(header) + values.tobytes())
    return path


def read(path: Path) -> tuple[sitk.Image, list[str]]:
    """The volume, and what was noted about it."""
    notes = []
    return read_volume(path, Monitor(on_note=notes.append)), notes


def affine_of(image: sitk.Image) -> np.ndarray:
    """RAS, [3, 4]."""
    direction = np.array(image.GetDirection()).reshape(3, 3) * image.GetSpacing()
    return np.column_stack([direction, image.GetOrigin()]) * [[-1], [-1], [1]]


def rotation(degrees: float) -> np.ndarray:
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])


def test_the_named_file_beside_a_namesake(tmp_path):
    other = VALUES[:, ::-1].copy()
    plain = write(tmp_path / "case.nii", other)
    packed = tmp_path / "case.nii.gz"
    packed.write_bytes(gzip.compress(write(tmp_path / "x").read_bytes()))
    for path, values in ((packed, VALUES), (plain, other)):
        assert np.array_equal(sitk.GetArrayFromImage(read(path)[0]), values)
    plain.write_bytes(plain.read_bytes()[:-100])
    assert np.array_equal(sitk.GetArrayFromImage(read(packed)[0]), VALUES)
    refuse(plain, "truncated")


def test_gzip_whatever_the_name(tmp_path):
    path = tmp_path / "packed.nii"
    path.write_bytes(gzip.compress(write(tmp_path / "x").read_bytes()))
    assert np.array_equal(sitk.GetArrayFromImage(read(path)[0]), VALUES)
    path.write_bytes(path.read_bytes()[:-20])
    refuse(path, "truncated or corrupt")


def test_name_that_is_not_utf8(tmp_path):
    path = write(tmp_path / "x").rename(tmp_path / b"r\xfccken.nii".decode("utf-8", "surrogateescape"))
    assert np.array_equal(sitk.GetArrayFromImage(read(path)[0]), VALUES)


def test_sform_alone_is_exact(tmp_path):
    image, notes = read(write(tmp_path / "s.nii"))
    np.testing.assert_allclose(affine_of(image), AFFINE, atol=1e-6)
    assert notes == []


@pytest.mark.parametrize("qfac", [1, 0, -1])
def test_qform_alone(tmp_path, qfac):
    half = math.radians(25) / 2
    image, notes = read(write(tmp_path / "q.nii", sform=None, quaternion=(0, 0, math.sin(half), 1, 2, 3), qfac=qfac))
    steps = rotation(25) * [0.5, 0.75, 1.2 if qfac >= 0 else -1.2]
    np.testing.assert_allclose(affine_of(image), np.column_stack([steps, [1, 2, 3]]), atol=1e-5)
    assert notes == []


def test_half_turn_in_single_precision(tmp_path):
    root = math.sqrt(0.5)
    image, _ = read(write(tmp_path / "q.nii", sform=None, quaternion=(root, root, 0, 0, 0, 0)))
    np.testing.assert_allclose(
        affine_of(image)[:, :3] / image.GetSpacing(), [[0, 1, 0], [1, 0, 0], [0, 0, -1]], atol=1e-6
    )


def test_sform_counts_where_qform_differs(tmp_path):
    half = math.radians(10) / 2
    sform = np.column_stack([np.diag([0.5, 0.75, 1.2]), [0, 0, 0]])
    path = write(tmp_path / "two.nii", sform=sform, quaternion=(0, 0, math.sin(half), 12, 0, 0))
    image, notes = read(path)
    np.testing.assert_allclose(affine_of(image), sform, atol=1e-6)
    assert len(notes) == 1 and "two places" in notes[0] and "12" in notes[0] and "sform's is used" in notes[0]
    same = write(tmp_path / "one.nii", sform=sform, quaternion=(0, 0, 0, 0.05, 0, 0))
    assert read(same)[1] == []


def test_sform_counts_where_pixdim_differs(tmp_path):
    image, notes = read(write(tmp_path / "s.nii", pixdim=(1.0, 1.5, 2.4)))
    np.testing.assert_allclose(image.GetSpacing(), (0.5, 0.75, 1.2), atol=1e-6)
    assert len(notes) == 1 and "1 x 1.5 x 2.4 and 0.5 x 0.75 x 1.2" in notes[0]
    assert read(write(tmp_path / "t.nii", pixdim=(0.5, 0.751, 1.2)))[1] == []


def test_no_orientation_is_noted(tmp_path):
    image, notes = read(write(tmp_path / "n.nii", sform=None))
    assert image.GetDirection() == (1, 0, 0, 0, 1, 0, 0, 0, 1) and image.GetOrigin() == (0, 0, 0)
    assert len(notes) == 1 and "does not say how the scan lies" in notes[0]


def test_a_picture_keeps_its_place(tmp_path):
    image, notes = read(write(tmp_path / "a.nii", VALUES[0], size=(8, 7)))
    assert image.GetSize() == (8, 7, 1) and notes == []
    np.testing.assert_allclose(affine_of(image)[:, [0, 1, 3]], AFFINE[:, [0, 1, 3]], atol=1e-6)
    assert unknown_of(image) == ()


def test_a_picture_without_a_place_is_marked(tmp_path):
    image, notes = read(write(tmp_path / "b.nii", VALUES[0], sform=None, size=(8, 7)))
    assert image.GetSpacing() == (0.5, 0.75, 1) and notes == []
    assert image.TransformIndexToPhysicalPoint((0, 1, 0)) == (0, 0, -0.75)
    assert unknown_of(image) == (POSITION,)


@pytest.mark.parametrize(("unit", "mm", "name"), [(1, 1000, "m"), (3, 0.001, "um")])
def test_units_are_converted(tmp_path, unit, mm, name):
    quaternion = (0, 0, 0, *(np.array([1, 2, 3]) / mm))
    path = write(
        tmp_path / "q.nii", sform=None, quaternion=quaternion, pixdim=np.array([0.5, 0.75, 1.2]) / mm, units=unit
    )
    image, notes = read(path)
    np.testing.assert_allclose(image.GetSpacing(), (0.5, 0.75, 1.2), rtol=1e-5)
    np.testing.assert_allclose(image.GetOrigin(), (-1, -2, 3), rtol=1e-5)
    assert len(notes) == 1 and f"in {name}, were converted" in notes[0]
    image, _ = read(write(tmp_path / "s.nii", sform=AFFINE / mm, pixdim=np.array([0.5, 0.75, 1.2]) / mm, units=unit))
    np.testing.assert_allclose(affine_of(image), AFFINE, rtol=1e-5, atol=1e-6)


def test_lengths_of_wrong_units_are_refused(tmp_path):
    refuse(write(tmp_path / "m.nii", units=1), "field of view", "not in mm")
    refuse(write(tmp_path / "um.nii", units=3), "too small", "not in mm")


def test_one_limit_for_shear(tmp_path):
    sheared = np.column_stack([np.diag([1.0, 1.0, 1.0]), [0, 0, 0]])
    for shear, fits in ((3e-4, True), (2e-3, False)):
        sheared[0, 1] = shear
        path = write(tmp_path / "s.nii", sform=sheared, pixdim=(1, 1, 1))
        vectors = f"(1,0,0) ({shear},1,0) (0,0,1)"
        nrrd = tmp_path / "s.nrrd"
        header = f"NRRD0004\ntype: short\ndimension: 3\nsizes: 8 7 6\nspace: LPS\nspace directions: {vectors}\n"
        nrrd.write_bytes(
            f"{header}space origin: (0,0,0)\nendian: little\nencoding: raw\n\n".encode() + VALUES.tobytes()
        )
        for file in (path, nrrd):
            if fits:
                assert read(file)[1] == []
            else:
                refuse(file, "right angles")


def test_scaled_values(tmp_path):
    image, _ = read(write(tmp_path / "s.nii", scale=(0.5, -10)))
    assert np.array_equal(sitk.GetArrayViewFromImage(image), VALUES * np.float32(0.5) - 10)
    for nothing in (0, math.nan):
        image, _ = read(write(tmp_path / "n.nii", scale=(nothing, 7)))
        assert np.array_equal(sitk.GetArrayViewFromImage(image), VALUES)
    refuse(write(tmp_path / "i.nii", scale=(math.inf, 0)), "scale of its values")
    refuse(write(tmp_path / "i.nii", scale=(2, math.nan)), "scale of its values")


@pytest.mark.parametrize("error", [0.009, -0.009])
def test_scaled_labels_are_rounded(tmp_path, error):
    labels = np.where(VALUES % 9 == 0, 20, 0).astype(np.int16)
    path = write(tmp_path / "mask.nii", labels, scale=(1 + error / 20, 0))
    read_back = sitk.GetArrayFromImage(read_labels(path))
    assert read_back.dtype == np.uint8 and np.array_equal(read_back, labels)
    with pytest.raises(SpineError, match="whole numbers"):
        read_labels(write(tmp_path / "mask.nii", labels, scale=(1 + 2 * error / 20, 0)))


def test_what_the_header_says_of_the_size_must_fit(tmp_path):
    refuse(write(tmp_path / "less.nii", size=(8, 7, 5)), "header is corrupt", "560", "672")
    refuse(write(tmp_path / "more.nii", size=(8, 7, 7)), "truncated", "672 of 784")
    path = tmp_path / "less.nii.gz"
    path.write_bytes(gzip.compress((tmp_path / "less.nii").read_bytes()))
    refuse(path, "header is corrupt")


def test_a_huge_image_is_no_allocation(tmp_path):
    refuse(write(tmp_path / "huge.nii", size=(32000, 32000, 32000), pixdim=(0.01,) * 3, sform=None), "truncated")


@pytest.mark.parametrize(
    ("offset", "content", "word"),
    [
        (344, b"ni1\0", "pair"),
        (344, b"\0\0\0\0", "Analyze"),
        (70, struct.pack("<h", 4096), "not supported"),
        (72, struct.pack("<h", 8), "corrupt"),
        (70, struct.pack("<2h", 128, 24), "3 values in each voxel"),
        (280, struct.pack("<f", math.nan), "not a number"),
        (280, bytes(48), "not positive"),
        (40, struct.pack("<h", 9), "no voxels"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path, offset, content, word):
    path = write(tmp_path / "x.nii")
    changed = bytearray(path.read_bytes())
    changed[offset : offset + len(content)] = content
    path.write_bytes(changed)
    refuse(path, word)


def test_quaternion_that_is_no_rotation(tmp_path):
    refuse(write(tmp_path / "q.nii", sform=None, quaternion=(1, 1, 0, 0, 0, 0)), "no rotation")


def test_intent(tmp_path):
    path = write(tmp_path / "x.nii")
    changed = bytearray(path.read_bytes())
    struct.pack_into("<h", changed, 68, 1002)
    path.write_bytes(changed)
    assert nifti.intent(path) == 1002
