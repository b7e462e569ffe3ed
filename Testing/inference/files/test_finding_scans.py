"""Which files of a folder are scans, and what a scan is called."""

import pytest
from refusals import refuse

from SpineInference.errors import SpineError
from SpineInference.files.reading import find_scans, scan_name


def test_find_scans_in_a_folder_of_files(tmp_path):
    for name in ("b.nii.gz", "a.NRRD", "c.png", ".hidden.nii.gz", "notes.txt", "dataset.json", "v.mhd", "v.raw"):
        (tmp_path / name).touch()
    (tmp_path / "folder.nii.gz").mkdir()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "d.nii.gz").touch()
    assert [path.name for path in find_scans(tmp_path)] == ["a.NRRD", "b.nii.gz", "c.png", "v.mhd"]
    assert find_scans(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]


def test_find_scans_finds_nothing(tmp_path):
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SpineError, match="holds no scan"):
        find_scans(tmp_path)
    with pytest.raises(SpineError, match="no such file"):
        find_scans(tmp_path / "missing")
    refuse(tmp_path, "no DICOM image")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("in/case.nii.gz", "case"),
        ("case_0000.NII.GZ", "case_0000"),
        ("result.seg.nrrd", "result.seg"),
        ("IM0001", "IM0001"),
        ("1.2.840.5.dcm", "1.2.840.5"),
        ("patient/series/", "series"),
        ("series#2", "series_2"),
        ("series#1.2.3", "series_1.2.3"),
        ("Wirbelsäule 1.nrrd", "Wirbelsäule 1"),
        ('a:b*"c?.nii', "a_b__c_"),
        ("r\udcfccken.nii", "r_cken"),
        (".nii.gz", "scan"),
    ],
)
def test_scan_name(path, name):
    assert scan_name(path) == name


def test_scan_name_of_the_current_folder(tmp_path, monkeypatch):
    (tmp_path / "Müller").mkdir()
    monkeypatch.chdir(tmp_path / "Müller")
    assert scan_name(".") == "Müller"
