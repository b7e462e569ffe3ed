"""What is written of a result with discs and canal, without a run."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from generated_discs import generated_column
from generated_result import generated_result

from SpineInference.anatomy import CANAL_CODE, CANAL_LABEL, DISC_CODE, DISC_OFFSET, LEVELS, Segment
from SpineInference.app.requests import Request
from SpineInference.app.results import write_result
from SpineInference.reports.sr_groups import groups_of


@pytest.fixture(scope="module")
def result():
    labels, _ = generated_column(5, (1.0, 1.0, 3.0), (110.0, 160.0, 60.0))
    values = np.unique(sitk.GetArrayViewFromImage(labels)).tolist()
    names = {level.label: name for name, level in LEVELS.items()}
    discs = [
        Segment(value, f"Disc {names[value - DISC_OFFSET]}-{names[below]}", (0, 200, 0), *DISC_CODE, False)
        for value in values
        if value > DISC_OFFSET and (below := 26 if value == 124 else value + 1 - DISC_OFFSET) in values
    ]
    canal = Segment(CANAL_LABEL, "Spinal canal", (250, 250, 0), *CANAL_CODE, False)
    return generated_result(labels=labels, structures=[*discs, canal])[1]


@pytest.fixture(scope="module")
def folder(result, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("results") / "scan"
    scan = sitk.Cast(result.labels, sitk.sitkFloat32)
    write_result(result, scan, folder, Request("scan.nii.gz", str(folder), points=True, overview=False, report=True))
    return folder


def markup(path: Path) -> dict:
    return json.loads(path.read_text("utf-8"))["markups"][0]


def test_the_line_of_the_canal_lies_in_it(result, folder):
    curve = markup(folder / "scan_canal.mrk.json")
    assert (curve["type"], curve["coordinateSystem"]) == ("Curve", "LPS")
    places = [point["position"] for point in curve["controlPoints"]]
    values = [result.labels[result.labels.TransformPhysicalPointToIndex(place)] for place in places[1:-1]]
    assert len(values) > 10 and np.mean(np.array(values) == CANAL_LABEL) > 0.9
    assert (np.diff([place[2] for place in places]) < 0).all()


def test_tips_of_segmented_discs_need_no_note(result, folder):
    points = markup(folder / "scan_disc_points.mrk.json")["controlPoints"]
    found = [point["label"] for point in points if "corners" not in point["description"]]
    assert found == [segment.name.removeprefix("Disc ") for segment in result.segments if segment.label > DISC_OFFSET]
    notes = json.loads((folder / "scan_result.json").read_text("utf-8"))["notes"]
    assert len(found) >= 3 and not any(name in note for note in notes for name in found)


def test_the_page_shows_discs_and_canal(folder):
    page = (folder / "scan_report.html").read_text("utf-8")
    assert "<h2>Discs</h2>" in page and "<th>Canal<small>mm</small></th>" in page and "Narrowest canal" in page
    assert "Other structures" not in page


def test_measures_of_discs_and_canal_refer_to_their_segments(result):
    numbers = {segment.name: number for number, segment in enumerate(result.segments, start=1)}
    groups = groups_of(result)
    for group in groups:
        if group.title.startswith(("Disc", "Spinal canal")):
            assert group.segment == numbers[group.title.split(",")[0]]
    titles = [group.title for group in groups]
    assert "Disc L3-L4" in titles and "Spinal canal, L3" in titles and "Spinal canal, L3-L4" in titles
