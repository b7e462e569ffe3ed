"""What the command line refuses is told in one sentence, and nothing is written."""

from pathlib import Path

import numpy as np
import SimpleITK as sitk
from command_line import names_in, spine_segment, write_scan


def noise() -> np.ndarray:
    return np.random.default_rng(0).normal(100, 20, (6, 8, 10)).astype(np.float32)


def truncated(folder: Path) -> Path:
    path = write_scan(folder / "truncated.nii.gz", noise())
    path.write_bytes(path.read_bytes()[:600])
    return path


def corrupt(folder: Path) -> Path:
    (folder / "corrupt.nii.gz").write_bytes(b"this is no image" * 100)
    return folder / "corrupt.nii.gz"


def four_dimensional(folder: Path) -> Path:
    image = sitk.JoinSeries([sitk.GetImageFromArray(noise())] * 2)
    sitk.WriteImage(image, folder / "four.nii.gz")
    return folder / "four.nii.gz"


def colours(folder: Path) -> Path:
    sitk.WriteImage(sitk.GetImageFromArray(np.stack([noise()] * 3, -1), isVector=True), folder / "vector.nrrd")
    return folder / "vector.nrrd"


def with_nan(folder: Path) -> Path:
    values = noise()
    values[0, 0, 0] = np.nan
    return write_scan(folder / "nan.nii.gz", values)


def constant(folder: Path) -> Path:
    return write_scan(folder / "constant.nii.gz", np.full((4, 5, 6), 7, np.int16))


def empty_folder(folder: Path) -> Path:
    (folder / "nothing").mkdir()
    return folder / "nothing"


def zero_spacing(folder: Path) -> Path:
    header = b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nspace: left-posterior-superior\n"
    header += b"space directions: (0,0,0) (0,1,0) (0,0,1)\nencoding: raw\n\n"
    (folder / "zero.nrrd").write_bytes(header + bytes(range(8)))
    return folder / "zero.nrrd"


def sheared(folder: Path) -> Path:
    header = b"NRRD0004\ntype: uchar\ndimension: 3\nsizes: 2 2 2\nspace: left-posterior-superior\n"
    header += b"space directions: (1,0,0) (0.5,1,0) (0,0,1)\nencoding: raw\n\n"
    (folder / "sheared.nrrd").write_bytes(header + bytes(range(8)))
    return folder / "sheared.nrrd"


BAD = [truncated, corrupt, four_dimensional, colours, with_nan, constant, empty_folder, zero_spacing, sheared]


def test_bad_scans_get_a_sentence_and_no_file(model, tmp_path):
    """All in one call: that also shows that none of them stops the others."""
    scans = []
    for make in BAD:
        folder = tmp_path / "scans" / make.__name__
        folder.mkdir(parents=True)
        scans.append(make(folder))
    before = sorted(tmp_path.rglob("*"))
    done = spine_segment(*scans, "-o", tmp_path / "out", "--model", model, "--quiet")
    assert done.returncode == 2
    sentences = done.stderr.splitlines()
    for scan in scans:
        assert [str(scan) in sentence for sentence in sentences].count(True) == 1, done.stderr
    assert len(sentences) == len(scans) and "Traceback" not in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_unwritable_output_and_unknown_model(model, tmp_path):
    scan = write_scan(tmp_path / "scan.nii.gz", noise())
    for arguments in (["-o", scan, "--model", model], ["-o", tmp_path / "out", "--model", "no-such-model"]):
        done = spine_segment(scan, *arguments, "--quiet")
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1 and "Traceback" not in done.stderr
    assert names_in(tmp_path) == ["scan.nii.gz"]
