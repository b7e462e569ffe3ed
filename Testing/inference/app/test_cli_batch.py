"""Several scans in one call: folders, names, reference masks, and one that fails beside others."""

import shutil

import numpy as np
import pytest
from command_line import call, names_in, write_scan

from SpineInference.app import cli
from SpineInference.files.reading import read_volume


def test_a_batch_has_a_page(run, out, tmp_path, capsys):
    scans = [write_scan(tmp_path / name) for name in ("a.nii.gz", "broken.nii.gz")]
    assert call(run, scans[0], "-o", out, "--report") == 0
    assert names_in(out) == ["a"]  # one scan is no batch
    assert call(run, *scans, "-o", out / "2", "--report", "-q") == 2
    assert "broken.nii.gz: this scan cannot be used." in (out / "2" / "index.html").read_text("utf-8")


def test_a_page_of_somebody_else_stops_before_work(run, out, tmp_path, capsys):
    out.mkdir()
    (out / "index.html").write_text("mine")
    scans = [write_scan(tmp_path / name) for name in ("a.nii.gz", "b.nii.gz")]
    assert call(run, *scans, "-o", out, "--report") == 2
    assert run.requests == [] and (out / "index.html").read_text() == "mine"
    assert "not a page of an earlier run" in capsys.readouterr().err


def test_a_folder_of_scans_one_of_them_bad(run, out, tmp_path, capsys):
    for name in ("a", "broken", "empty"):
        write_scan(tmp_path / "scans" / f"{name}.nii.gz")
    assert call(run, tmp_path / "scans", "-o", out) == 2
    assert names_in(out) == ["a", "empty"]
    shown = capsys.readouterr()
    assert "broken.nii.gz: this scan cannot be used." in shown.err
    assert "nothing was found" in shown.out
    assert shown.out.endswith("2 of 3 scans done.\n")


def test_label_maps_in_a_folder_are_passed_over(run, out, tmp_path, capsys):
    def reads(request, monitor):
        read_volume(request.input)
        return run(request, monitor)

    mask = np.zeros((3, 4, 5), np.uint8)
    mask[1, 1:3, 1:3] = 1
    named = write_scan(tmp_path / "scans" / "a_mask.nii.gz", mask)
    assert cli.main([str(tmp_path / "scans"), "-o", str(out)], reads) == 2
    assert "nothing in there is a scan" in capsys.readouterr().err
    write_scan(tmp_path / "scans" / "a.nii.gz")
    assert cli.main([str(tmp_path / "scans"), "-o", str(out)], reads) == 0
    assert "Passed over" in capsys.readouterr().err and [path.name for path in out.iterdir()] == ["a"]
    shutil.rmtree(out)
    assert cli.main([str(tmp_path / "scans"), str(named), "-o", str(out)], reads) == 2
    assert "label map or a mask" in capsys.readouterr().err


def test_unexpected_failure_stops_no_other_scan(run, out, tmp_path, capsys):
    scans = [write_scan(tmp_path / f"{name}.nii.gz") for name in ("bug", "broken", "good")]
    assert call(run, *scans, "-o", out) == 1
    assert names_in(out) == ["good"]
    assert "ZeroDivisionError: oops" in capsys.readouterr().err


def test_scans_of_one_name_get_folders_of_their_own(run, out, tmp_path):
    scans = [write_scan(tmp_path / folder / name) for folder, name in (("a", "x.nii.gz"), ("b", "X.nrrd"))]
    assert call(run, *scans, "-o", out) == 0
    assert names_in(out) == ["X_2", "x"]


def test_a_name_that_is_not_utf8_stops_no_other_scan(run, out, tmp_path, capsys):
    for name in ("a.nii.gz", "r\udcfccken.nii.gz", "z.nii.gz"):
        write_scan(tmp_path / "x.nii.gz").rename(tmp_path / name)
    assert call(run, tmp_path, "-o", out) == 0
    assert names_in(out) == ["a", "r_cken", "z"]
    assert call(run, tmp_path / "a.nii.gz", "-o", tmp_path / "\udcfc") == 2
    assert "not UTF-8" in capsys.readouterr().err


def test_missing_scan_beside_a_good_one(run, out, tmp_path, capsys):
    assert call(run, tmp_path / "nowhere.nii.gz", write_scan(tmp_path / "a.nii.gz"), "-o", out) == 2
    assert names_in(out) == ["a"]
    assert "nowhere.nii.gz: there is no such file or folder." in capsys.readouterr().err


def test_a_folder_of_reference_masks(run, out, tmp_path, capsys):
    for name in ("a", "b_0000", "c"):
        write_scan(tmp_path / "scans" / f"{name}.nii.gz")
    masks = [write_scan(tmp_path / "masks" / name) for name in ("a.nrrd", "b.nii.gz")]
    assert call(run, tmp_path / "scans", "-o", out, "--reference", tmp_path / "masks") == 2
    assert [request.reference for request in run.requests] == [str(mask) for mask in masks]
    assert "no reference mask named c" in capsys.readouterr().err


def test_reference_masks_for_a_folder_with_label_maps(run, out, tmp_path, capsys):
    write_scan(tmp_path / "scans" / "a.nii.gz")
    write_scan(tmp_path / "scans" / "a_labels.nii.gz", np.eye(5, dtype=np.uint8)[None])
    mask = write_scan(tmp_path / "masks" / "a.seg.nrrd")
    assert call(run, tmp_path / "scans", "-o", out, "--reference", tmp_path / "masks") == 0
    assert run.requests[0].reference == str(mask) and run.requests[1].reference is None
    write_scan(tmp_path / "masks" / "a.nii.gz")
    assert call(run, tmp_path / "scans", "-o", out, "--reference", tmp_path / "masks") == 2
    assert "masks of one scan" in capsys.readouterr().err


def test_one_mask_for_several_scans_is_refused(run, out, tmp_path, capsys):
    scans = [write_scan(tmp_path / f"{name}.nii.gz") for name in "ab"]
    assert call(run, *scans, "-o", out, "--reference", scans[0]) == 2
    assert not run.requests and not out.exists()
    assert "only one reference mask" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--planes", "sagittal,diagonal"], "planes"),
        (["--device", "gpu"], '"gpu" is not a device'),
        (["--top-level", "C9"], '"C9" is not a vertebral level'),
        (["--threads", "0"], "threads"),
    ],
)
def test_a_wrong_option_is_told_once_for_all_scans(run, out, tmp_path, capsys, options, says):
    scans = [write_scan(tmp_path / f"{name}.nii.gz") for name in "ab"]
    assert call(run, *scans, "-o", out, *options) == 2
    shown = capsys.readouterr()
    assert says in shown.err and shown.err.count("\n") == 1 and not shown.out
    assert not run.requests and not out.exists()
