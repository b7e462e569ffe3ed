"""NRRD and MetaImage: what their headers say or leave open, and voxels in files of their own."""

import bz2
import gzip
import zlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from refusals import refuse

from SpineInference.errors import SpineError
from SpineInference.files.reading import read_volume
from SpineInference.formats import nrrd
from SpineInference.monitor import Monitor
from SpineInference.volume.slice_placement import PIXEL_SIZE, POSITION, unknown_of

VALUES = np.arange(4 * 5 * 6, dtype=np.int16).reshape(4, 5, 6)
RAW = VALUES.tobytes()
PLACED = "space: LPS\nspace directions: (1,0,0) (0,2,0) (0,0,3)\nspace origin: (10,20,30)\n"
ROTATED = "TransformMatrix = 0 1 0 0 0 1 1 0 0\nOffset = 10 20 30\nElementSpacing = 1 2 3\n"


def nrrd_file(path: Path, fields: str, voxels: bytes = RAW, encoding: str = "raw", sizes: str = "6 5 4") -> Path:
    start = f"NRRD0005\ntype: short\ndimension: {len(sizes.split())}\nsizes: {sizes}\nendian: little\n"
    path.write_bytes(f"{start}encoding: {encoding}\n{fields}\n".encode() + voxels)
    return path


def meta_file(
    path: Path, fields: str = ROTATED, voxels: bytes = RAW, where: str = "LOCAL", size: str = "6 5 4"
) -> Path:
    start = f"ObjectType = Image\nNDims = {len(size.split())}\nBinaryData = True\nDimSize = {size}\n"
    path.write_bytes(f"{start}{fields}ElementType = MET_SHORT\nElementDataFile = {where}\n".encode() + voxels)
    return path


def read(path: Path) -> tuple[sitk.Image, list[str]]:
    notes = []
    return read_volume(path, Monitor(on_note=notes.append)), notes


def values(path: Path) -> np.ndarray:
    return sitk.GetArrayFromImage(read_volume(path))


# ---- NRRD


@pytest.mark.parametrize(
    ("space", "signs"),
    [("left-posterior-superior", (1, 1, 1)), ("RAS", (-1, -1, 1)), ("left-anterior-superior", (1, -1, 1))],
)
def test_spaces_of_the_body(tmp_path, space, signs):
    image, notes = read(nrrd_file(tmp_path / "a.nrrd", PLACED.replace("LPS", space)))
    assert image.GetOrigin() == tuple(np.multiply((10, 20, 30), signs)) and image.GetSpacing() == (1, 2, 3)
    assert image.GetDirection() == tuple(np.diag(signs).ravel()) and notes == []


@pytest.mark.parametrize("space", ["space: scanner-xyz\n", "space: 3D-right-handed\n", "space dimension: 3\n"])
def test_space_without_sides_is_noted(tmp_path, space):
    image, notes = read(nrrd_file(tmp_path / "a.nrrd", PLACED.replace("space: LPS\n", space)))
    assert image.GetOrigin() == (10, 20, 30)
    assert len(notes) == 1 and "does not say how the scan lies" in notes[0]


def test_spacings_alone_are_noted(tmp_path):
    image, notes = read(nrrd_file(tmp_path / "a.nrrd", "spacings: 1 2 3\n"))
    assert image.GetSpacing() == (1, 2, 3)
    assert len(notes) == 1 and "does not say how the scan lies" in notes[0]


@pytest.mark.parametrize("fields", ["", "spacings: 1 nan 3\n", "space: LPS\n", "kinds: domain domain domain\n"])
def test_volume_without_spacing_is_refused(tmp_path, fields):
    refuse(nrrd_file(tmp_path / "a.nrrd", fields), "does not say how large its voxels are")


def test_spacing_must_be_positive(tmp_path):
    for spacing in ("1 -2 3", "1 0 3", "1 inf 3"):
        refuse(nrrd_file(tmp_path / "a.nrrd", f"spacings: {spacing}\n"), "not positive")


@pytest.mark.parametrize(("unit", "mm"), [("cm", 10), ("um", 1e-3), ("micrometers", 1e-3), ("µm", 1e-3), ("m", 1e3)])
def test_nrrd_units_are_converted(tmp_path, unit, mm):
    vectors = " ".join(f"({','.join(str(step / mm) for step in row)})" for row in np.diag([1, 2, 3]))
    units = " ".join([f'"{unit}"'] * 3)
    fields = f"space: RAS\nspace directions: {vectors}\nspace origin: (0,0,{30 / mm})\nspace units: {units}\n"
    image, notes = read(nrrd_file(tmp_path / "a.nrrd", fields))
    np.testing.assert_allclose(image.GetSpacing(), (1, 2, 3), rtol=1e-9)
    np.testing.assert_allclose(image.GetOrigin(), (0, 0, 30), atol=1e-9)
    assert len(notes) == 1 and f"in {unit}, were converted" in notes[0]
    image, notes = read(
        nrrd_file(tmp_path / "b.nrrd", f'spacings: {1 / mm} {2 / mm} 3\nunits: "{unit}" "{unit}" "mm"\n')
    )
    np.testing.assert_allclose(image.GetSpacing(), (1, 2, 3), rtol=1e-9)
    assert len(notes) == 2


def test_unknown_unit_is_refused(tmp_path):
    refuse(nrrd_file(tmp_path / "a.nrrd", PLACED + 'space units: "ell" "ell" "ell"\n'), "'ell'", "use mm")


def test_flat_nrrd_with_a_place_keeps_it(tmp_path):
    fields = "space: LPS\nspace directions: (0,1,0) (0,0,-2)\nspace origin: (1,2,3)\n"
    image, notes = read(nrrd_file(tmp_path / "a.nrrd", fields, VALUES[0].tobytes(), sizes="6 5"))
    assert image.GetSize() == (6, 5, 1) and image.GetSpacing() == (1, 2, 1) and notes == []
    assert image.TransformIndexToPhysicalPoint((3, 2, 0)) == (1, 5, -1)


def test_flat_nrrd_without_a_place_is_lateral(tmp_path):
    image, _ = read(nrrd_file(tmp_path / "a.nrrd", "spacings: 0.2 0.3\n", VALUES[0].tobytes(), sizes="6 5"))
    assert image.GetSpacing() == (0.2, 0.3, 1) and unknown_of(image) == (POSITION,)
    image, _ = read(nrrd_file(tmp_path / "b.nrrd", "", VALUES[0].tobytes(), sizes="6 5"))
    assert image.GetSpacing() == (1, 1, 1) and unknown_of(image) == (PIXEL_SIZE, POSITION)


def test_missing_origin_is_noted(tmp_path):
    _, notes = read(nrrd_file(tmp_path / "a.nrrd", PLACED.replace("space origin: (10,20,30)\n", "")))
    assert len(notes) == 1 and "where the scan lies" in notes[0]


@pytest.mark.parametrize(
    ("encoding", "pack"),
    [
        ("gzip", gzip.compress),
        ("bzip2", bz2.compress),
        ("ascii", lambda raw: " ".join(map(str, np.frombuffer(raw, np.int16))).encode()),
    ],
)
def test_nrrd_encodings(tmp_path, encoding, pack):
    attached = nrrd_file(tmp_path / "a.nrrd", PLACED, pack(RAW), encoding)
    assert np.array_equal(values(attached), VALUES)
    detached = nrrd_file(tmp_path / "b.nhdr", f"{PLACED}data file: b.bin\n", b"", encoding)
    (tmp_path / "b.bin").write_bytes(pack(RAW))
    assert np.array_equal(values(detached), VALUES)
    (tmp_path / "b.bin").write_bytes(pack(RAW)[:-9])
    refuse(detached, "truncated")


def test_components_stand_first_or_last(tmp_path):
    two = np.stack([VALUES, VALUES + 1], axis=-1)
    vectors = "(1,0,0) (0,2,0) (0,0,3)"
    first = PLACED.replace(vectors, f"none {vectors}") + "kinds: list domain domain domain\n"
    last = PLACED.replace(vectors, f"{vectors} none") + "kinds: domain domain domain list\n"
    path = nrrd_file(tmp_path / "a.nrrd", first, two.tobytes(), sizes="2 6 5 4")
    assert np.array_equal(sitk.GetArrayFromImage(nrrd.read(path, Monitor())), two)
    refuse(path, "2 values in each voxel")
    path = nrrd_file(tmp_path / "b.nrrd", last, np.moveaxis(two, -1, 0).tobytes(), sizes="6 5 4 2")
    assert np.array_equal(sitk.GetArrayFromImage(nrrd.read(path, Monitor())), two)
    one = nrrd_file(tmp_path / "c.nrrd", first, sizes="1 6 5 4")
    assert np.array_equal(values(one), VALUES)


def test_key_values(tmp_path):
    path = nrrd_file(tmp_path / "a.nrrd", f"{PLACED}Segment0_ID:=L1\n# a comment\nnote:=a: b\n")
    assert nrrd.key_values(path) == {"Segment0_ID": "L1", "note": "a: b"}


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ("dimension 3\n", "cannot be understood"),
        ("space directions: (1,0) (0,1)\n", "cannot be understood"),
        (f"{PLACED}space: RAS\n", "'space' twice"),
        ("spacings: 1 2\n", "not 3 numbers"),
        (f"{PLACED}byte skip: x\n", "no whole number"),
        (f"{PLACED}data file: ../gone.raw\n", "its data file gone.raw is missing"),
    ],
)
def test_nrrd_that_makes_no_sense(tmp_path, fields, word):
    refuse(nrrd_file(tmp_path / "a.nrrd", fields), word)


# ---- MetaImage


def test_metaimage_as_itk_reads_it(tmp_path):
    path = meta_file(tmp_path / "a.mha")
    image, expected = read_volume(path), sitk.ReadImage(str(path))
    for name in ("GetSpacing", "GetOrigin", "GetDirection"):
        assert getattr(image, name)() == getattr(expected, name)()
    assert np.array_equal(sitk.GetArrayViewFromImage(image), VALUES)
    meta_file(path, f"{ROTATED}ElementByteOrderMSB = True\n", VALUES.astype(">i2").tobytes())
    assert np.array_equal(values(path), VALUES)


def test_metaimage_without_spacing_is_refused(tmp_path):
    refuse(meta_file(tmp_path / "a.mha", "Offset = 1 2 3\n"), "does not say how large its voxels are")


def test_metaimage_without_place_is_noted(tmp_path):
    image, notes = read(meta_file(tmp_path / "a.mha", "ElementSize = 1 2 3\n"))
    assert image.GetSpacing() == (1, 2, 3)
    assert len(notes) == 2 and "where the scan lies" in notes[0] and "how the scan lies" in notes[1]


def test_two_orientations_are_noted(tmp_path):
    fields = "TransformMatrix = 1 0 0 0 1 0 0 0 1\nOffset = 0 0 0\nElementSpacing = 1 2 3\nAnatomicalOrientation = "
    for letters in ("RAI", "LPS", "???"):
        assert read(meta_file(tmp_path / "a.mha", f"{fields}{letters}\n"))[1] == []
    notes = read(meta_file(tmp_path / "a.mha", f"{fields}LAI\n"))[1]
    assert len(notes) == 1 and "two orientations, LAI" in notes[0] and "the matrix is used" in notes[0]


def test_metaimage_units_are_converted(tmp_path):
    image, notes = read(meta_file(tmp_path / "a.mha", ROTATED.replace("1 2 3", "0.1 0.2 0.3") + "DistanceUnits = cm\n"))
    np.testing.assert_allclose(image.GetSpacing(), (1, 2, 3))
    np.testing.assert_allclose(image.GetOrigin(), (100, 200, 300))
    assert len(notes) == 1 and "in cm, were converted" in notes[0]


def test_matrix_that_is_no_rotation(tmp_path):
    refuse(meta_file(tmp_path / "a.mha", ROTATED.replace("0 1 0", "0 2 0")), "no rotation")


def test_metaimage_text(tmp_path):
    text = " ".join(map(str, VALUES.ravel())).encode()
    path = meta_file(tmp_path / "a.mha", voxels=text)
    path.write_bytes(path.read_bytes().replace(b"BinaryData = True", b"BinaryData = False"))
    assert np.array_equal(values(path), VALUES)
    path.write_bytes(path.read_bytes()[:-5])
    refuse(path, "truncated")


# ---- voxels in files of their own


def packed_header(folder: Path, kind: str) -> tuple[Path, Path, bytes]:
    """A header, its data file and what belongs into it."""
    if kind == "mhd":
        return (
            meta_file(folder / "a.mhd", f"CompressedData = True\n{ROTATED}", b"", "a.zraw"),
            folder / "a.zraw",
            zlib.compress(RAW),
        )
    path = nrrd_file(folder / "a.nhdr", f"{PLACED}data file: a.raw.gz\n", b"", "gzip")
    return path, folder / "a.raw.gz", gzip.compress(RAW)


@pytest.mark.parametrize("kind", ["mhd", "nhdr"])
def test_detached_voxels_are_checked(tmp_path, kind):
    header, data, content = packed_header(tmp_path, kind)
    refuse(header, data.name, "is missing")
    data.write_bytes(content)
    assert np.array_equal(values(header), VALUES)
    for position in range(2, len(content), 7):
        damaged = bytearray(content)
        damaged[position] ^= 0x55
        data.write_bytes(damaged)
        with pytest.raises(SpineError) if kind == "mhd" else _refused_or_equal(header):
            read_volume(header)
    data.write_bytes(content[: len(content) // 2])
    refuse(header, "truncated")


class _refused_or_equal:
    """In the header of gzip are bytes that mean nothing, such as the time."""

    def __init__(self, header: Path):
        self.header = header

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type | None, error: Exception | None, _trace: object) -> bool:
        return isinstance(error, SpineError) or np.array_equal(values(self.header), VALUES)
