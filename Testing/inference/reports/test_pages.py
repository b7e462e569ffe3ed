"""Pages for a person: all numbers with what is unsure, everything escaped, the doubtful first."""

import json
import re
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import SimpleITK as sitk
from generated_result import generated_result
from small_records import small_record

from SpineInference.anatomy import LEVELS
from SpineInference.app.batch_report import write_batch
from SpineInference.app.requests import Request
from SpineInference.errors import SpineError
from SpineInference.measuring.morphometry.measure import DOUBTFUL_BODY, Measure
from SpineInference.reports.batch_page import check_batch_page
from SpineInference.reports.page_tables import Marks, curve_table, notable, table_of
from SpineInference.reports.scan_page import write_report

EVIL = '"><script>alert(1)</script>&'


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("page")
    labels, result = generated_result(qualities={"L3": 0.6}, notes=[f"a note {EVIL}"], models=[f"model {EVIL}"])
    scan = sitk.Cast(labels, sitk.sitkFloat32)
    write_report(scan, result, f"name {EVIL}", folder / "r.html", folder / "t.jpg")
    assert (folder / "t.jpg").read_bytes()[:2] == b"\xff\xd8" and (folder / "t.jpg").stat().st_size < 30_000
    return (folder / "r.html").read_text("utf-8")


def test_nothing_from_files_is_html(page):
    assert "<script" not in page and page.count("&lt;script&gt;") >= 4


def test_the_page_needs_nothing_else(page):
    addresses = re.findall(r'(?:src|href)="([^"]*)"', page) + re.findall(r"url\(([^)]*)\)", page)
    assert len(addresses) == 2 and all(address.startswith("data:image/jpeg;base64,") for address in addresses)


def test_the_page_tells_how_it_was_made(page):
    for words in (
        "SpineSegmentation",
        "OpenVINO, bfloat16",
        "A processor",
        "not for clinical use",
        "the sacrum, 97% sure",
    ):
        assert words in page


def test_marks_have_a_sign_and_a_meaning(page):
    row = re.search(r"<tr><td>L3</td>(.*?)</tr>", page, re.S).group(1)
    (sign,) = re.search(r"([*†‡§]) doubtful body", page).groups()
    assert f"0.60<sup>{sign}</sup>" in row and 'class="unsure' in row


def small_measures() -> list[Measure]:
    return [
        Measure("body", "L1", "genant_grade", 2),
        Measure("body", "L2", "genant_grade", 0),
        Measure("body", "L2", "anterior_height", None, marks=("cut off by the scan",)),
        Measure("level", "L1-L2", "meyerding_grade", 1, marks=(DOUBTFUL_BODY,)),
        Measure("curve", "T5-T12", "thoracic_kyphosis", 52.0, 1.5),
        Measure("curve", "L1-S1", "lumbar_lordosis", 52.0, 1.5),
    ]


def test_grades_and_values_out_of_range_stand_out():
    assert notable(small_measures()) == [
        "L1: Genant grade 2",
        "L1-L2: Meyerding grade 1 (unsure)",
        "T5-T12: Thoracic kyphosis 52.0°",
    ]


def test_tables_show_what_cannot_be_told():
    marks = Marks()
    table = table_of("Bodies", small_measures()[:3], marks, ["T12"])
    assert [name for name, _ in table.rows] == ["T12", "L1", "L2"]
    assert [cell.text for cell in table.rows[2][1]] == ["–", "0"] and table.rows[2][1][0].marks == "*"
    curves = curve_table(small_measures(), marks)
    assert [cell.text for cell in curves.rows[0][1]] == ["52.0°", "± 1.5", "10 to 40"]
    assert marks.signs == {"cut off by the scan": "*"}


def write_record(output: Path, name: str, qualities: dict[str, float], **fields) -> None:
    folder = output / name
    folder.mkdir(parents=True)
    rows = [{"level": level, "quality": quality} for level, quality in qualities.items()]
    measurements = {"vertebrae": rows, "structures": [], "reference": None, "naming": None}
    segments = [LEVELS[level] for level in qualities]
    record = small_record(Request(f"{name}.nii.gz", str(folder)), segments, measurements=measurements, **fields)
    (folder / f"{name}_result.json").write_text(json.dumps(asdict(record)), "utf-8")


def test_the_doubtful_come_first(tmp_path):
    write_record(tmp_path, "fine", {"L1": 0.95, "L2": 0.9})
    write_record(tmp_path, "just", {"L1": 0.95, "L2": 0.79})
    write_record(tmp_path, "limit", {"L1": 0.95, "L2": 0.8})
    write_record(tmp_path, "worse", {"L1": 0.5})
    write_record(tmp_path, "nothing", {})
    page = write_batch(tmp_path, ["broken.nii.gz: cut short."]).read_text("utf-8")
    assert re.findall(r'<td class="name">(\w+)', page) == ["nothing", "worse", "just", "limit", "fine"]
    assert "L2 (0.79)" in page and "(0.80)" not in page
    assert "Nothing was found" in page and "broken.nii.gz: cut short." in page


def test_links_lead_to_the_reports(tmp_path):
    name = "100 % #1 <b>?"
    contents = {"report": f"{name}_report.html", "thumbnail": f"{name}_thumbnail.jpg"}
    write_record(tmp_path, name, {"L1": 0.9}, contents=contents)
    page = write_batch(tmp_path, []).read_text("utf-8")
    assert 'href="100%20%25%20%231%20%3Cb%3E%3F/100%20%25%20%231%20%3Cb%3E%3F_report.html"' in page
    assert "<b>" not in page


def test_a_page_of_somebody_else_is_kept(tmp_path):
    write_record(tmp_path, "a", {"L1": 0.9})
    write_batch(tmp_path, [])
    check_batch_page(tmp_path)
    (tmp_path / "index.html").write_text("<html>mine</html>")
    with pytest.raises(SpineError, match="not a page of an earlier run"):
        check_batch_page(tmp_path)


def test_a_damaged_result_does_not_stop_the_page(tmp_path):
    write_record(tmp_path, "a", {"L1": 0.9})
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "b_result.json").write_text("{")
    page = write_batch(tmp_path, []).read_text("utf-8")
    assert "b_result.json" in page and ">a<" in page


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_single_slice_has_a_page(tmp_path, axis):
    labels, _ = generated_result()
    middle = labels.GetSize()[axis] // 2
    window = [slice(middle, middle + 1) if number == axis else slice(None) for number in range(3)]
    _, result = generated_result(labels=labels[tuple(window)])
    write_report(sitk.Cast(result.labels, sitk.sitkFloat32), result, "slice", tmp_path / "r.html", tmp_path / "t.jpg")
    assert "Area" in (tmp_path / "r.html").read_text("utf-8")


def test_an_empty_result_has_a_page(tmp_path):
    labels, result = generated_result()
    nothing = replace(result.measurements, vertebrae=[], naming=None)
    empty = replace(result, labels=labels * 0, segments=[], partial=set(), measurements=nothing, morphometry=[])
    write_report(sitk.Cast(labels, sitk.sitkFloat32), empty, "empty", tmp_path / "r.html", tmp_path / "t.jpg")
    assert "Nothing was found" in (tmp_path / "r.html").read_text("utf-8")
