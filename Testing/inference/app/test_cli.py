"""The command line as a person or a script meets it: what it prints, what its options mean, how it ends."""

import sys
from dataclasses import replace

import pytest
from command_line import call, names_in, write_scan

from SpineInference.anatomy import LEVELS, Segment
from SpineInference.app import cli
from SpineInference.app.requests import Request
from SpineInference.models.catalog import open_set
from SpineInference.options import DEFAULT_MODEL, SegmentationOptions


def test_one_scan(run, out, tmp_path, capsys):
    scan = write_scan(tmp_path / "Wirbelsäule 脊椎.nii.gz")
    assert call(run, scan, "-o", out, "--top-level", "c2") == 0
    assert names_in(out) == ["Wirbelsäule 脊椎"]
    shown = capsys.readouterr()
    assert "2 vertebral bodies (C2 to C3) in 12 s" in shown.out and str(out) in shown.out
    assert "network, sagittal" in shown.err and "something worth knowing" in shown.err


def test_a_terminal_gets_a_progress_bar(run, out, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "100")
    assert call(run, write_scan(tmp_path / "a.nii.gz"), "-o", out) == 0
    shown = capsys.readouterr().err
    assert "a: network, sagittal   0 %|" in shown and "/2" in shown


def test_every_option_arrives(run, out, tmp_path):
    scan, mask = write_scan(tmp_path / "a.nii.gz"), write_scan(tmp_path / "mask.nii.gz")
    options = "--model m --planes axial,Sagittal --fusion vote --device cuda:1 --bottom-level L5 --no-n4 --format nrrd"
    options += " --plane Axial --spacing 0.7x0.6 --sr --points --report"
    assert call(run, scan, "-o", out, *options.split(), "--threads", 2, "--no-overview", "--reference", mask) == 0
    assert run.requests == [
        Request(
            input=str(scan),
            output=str(out / "a"),
            options=SegmentationOptions(
                model="m",
                planes=("axial", "sagittal"),
                plane="axial",
                spacing_mm=(0.7, 0.6),
                fusion="vote",
                device="cuda:1",
                bottom_level="L5",
                bias_correction=False,
                threads=2,
            ),
            reference=str(mask),
            format="nrrd",
            structured_report=True,
            points=True,
            overview=False,
            report=True,
        )
    ]


def test_postprocessing_is_the_models_but_for_what_is_given(run, out, tmp_path):
    scan, own = write_scan(tmp_path / "a.nii.gz"), open_set(DEFAULT_MODEL).packages[0].manifest.postprocessing
    assert own.min_island_share > 0 and own.fill_holes
    assert call(run, scan, "-o", out / "1", "--smooth", 2, "--no-fill-holes") == 0
    assert call(run, scan, "-o", out / "2", "--remove-below", 300, "--dilate", 1.5, "--interpolate") == 0
    assert call(run, scan, "-o", out / "3") == 0
    few, others, none = (request.options.postprocessing for request in run.requests)
    assert few == replace(own, smooth_mm=2.0, fill_holes=False) and none is None
    changes = {"min_island_mm3": 300.0, "min_island_share": 0.0, "dilate_mm": 1.5, "interpolate_slices": True}
    assert others == replace(own, **changes)


def test_agreement_with_a_reference_is_printed(run, out, tmp_path, capsys):
    scan, mask = write_scan(tmp_path / "a.nii.gz"), write_scan(tmp_path / "mask.nii.gz")
    assert call(run, scan, "-o", out, "--reference", mask) == 0
    assert "(C2 to C3), Dice 0.912, HD95 2.0 mm, 1 missed, 0 false in 12 s" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (("--smooth", "-1"), "smooth_mm of the post-processing must be 0 or more"),
        (("--dilate", "nan"), "dilate_mm of the post-processing must be 0 or more"),
        (("--spacing", "wide"), "0.7x0.6"),
        (("--spacing", "1x1x1"), "0.7x0.6"),
        (("--spacing", "0"), "0.02 to 10"),
        (("--plane", "oblique"), '"oblique" is not a plane'),
    ],
)
def test_impossible_options(run, out, tmp_path, capsys, option, says):
    try:
        code = call(run, write_scan(tmp_path / "a.nii.gz"), "-o", out, *option)
    except SystemExit as ended:
        code = ended.code
    assert code == 2 and says in capsys.readouterr().err and not run.requests


def test_quiet(run, out, tmp_path, capsys):
    assert call(run, write_scan(tmp_path / "a.nii.gz"), "-o", out, "--quiet") == 0
    assert capsys.readouterr() == ("", "")


def test_no_vertebra_is_no_error(run, out, tmp_path):
    assert call(run, write_scan(tmp_path / "empty.nii.gz"), "-o", out) == 0


@pytest.mark.parametrize("arguments", [[], ["scan.nii.gz"], ["scan.nii.gz", "-o", "x", "--format", "png"]])
def test_a_wrong_call_ends_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as end:
        cli.main(arguments)
    assert end.value.code == 2
    assert "error: " in capsys.readouterr().err


def test_lists(capsys):
    assert cli.main(["--list-devices"]) == 0
    assert "cpu" in capsys.readouterr().out
    assert cli.main(["--list-models"]) == 0


def test_line_about_a_scan_names_other_structures():
    bodies = [LEVELS["L4"], LEVELS["L5"]]
    canal = Segment(33, "Spinal canal", (1, 2, 3), "1", "x", is_vertebra=False)
    assert cli._found([]) == "nothing was found"
    assert cli._found([*bodies, canal]) == "2 vertebral bodies (L4 to L5), Spinal canal"
    assert cli._found([bodies[0]]) == "1 vertebral body (L4)"
    discs = [
        Segment(n, f"Disc {n}", (1, 2, 3), "360499006", "Intervertebral disc", is_vertebra=False) for n in (122, 123)
    ]
    assert cli._found([*bodies, *discs, canal]) == "2 vertebral bodies (L4 to L5), 2 discs, Spinal canal"
    assert cli._found([bodies[0], discs[0]]) == "1 vertebral body (L4), Disc 122"
