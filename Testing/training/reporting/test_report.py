"""The report as a file: whole, by itself, with everything that was measured and nothing that was not."""

import base64
import csv
import io
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image
from report_runs_by_hand import everything_judged, write_evaluation, write_run

from SegTraining.cli import main
from SegTraining.evaluation.examples import COUNT, Example, Examples, read_examples
from SegTraining.evaluation.output import write_csv
from SegTraining.reporting.charts import all_runs, drawing
from SegTraining.reporting.figures import FALSE_NEGATIVE, FALSE_POSITIVE, _title, overlays
from SegTraining.reporting.report import write_report


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    evaluated = write_run(folder / "runs" / "one <&>", "unet", encoder="resnet50", encoder_weights="imagenet")
    write_evaluation(evaluated, [0.8, 0.9, 0.85])
    unfinished = write_run(folder / "runs" / "two", "fpn", encoder="resnet50")
    assert main(["report", str(evaluated), str(unfinished), "-o", str(folder / "out" / "report.html")]) == 0
    return folder / "out" / "report.html"


def pictures(html: str) -> list[tuple[str, bytes]]:
    found = re.findall(r'src="data:([\w/+]+);base64,([^"]+)"', html)
    return [(kind, base64.b64decode(data)) for kind, data in found]


def test_it_is_one_file_that_needs_no_other(report):
    html = report.read_text("utf-8")
    assert "<script" not in html and "@import" not in html and "url(" not in html
    assert all(link.startswith(("#s", "data:")) for link in re.findall(r'(?:src|href)="([^"]*)"', html))
    # Training curves of both runs, all runs beside each other, slices, overlays, kernels, activation maps.
    assert sorted(kind for kind, _ in pictures(html)) == ["image/svg+xml"] * 4 + ["image/webp"] * 3
    for kind, content in pictures(html):
        if kind == "image/webp":
            assert min(Image.open(io.BytesIO(content)).size) > 50
        else:
            assert content.rstrip().endswith(b"</svg>")


def test_names_are_shown_as_they_are(report):
    html = report.read_text("utf-8")
    assert "one &lt;&amp;&gt;" in html and "<&>" not in html


def test_what_is_missing_is_said(report):
    html = report.read_text("utf-8")
    assert "Not evaluated yet, so without scores: two." in html
    assert '<span class="missing">missing</span><small>80</small>' in html  # FPN, ResNet-50, raw, sagittal


def test_the_tables_lie_beside_it(report):
    folder = report.with_name("report-tables")
    assert {path.stem for path in folder.iterdir()} >= {"runs", "scores", "cases", "table-4.3", "table-4.8"}
    with (folder / "cases.csv").open(encoding="utf-8", newline="") as file:
        first = next(csv.DictReader(file))
    assert (first["run"], first["case"], first["dice"]) == ("one <&>", "case0", "0.8")


def test_a_report_needs_no_torch():
    code = "import sys; import SegTraining.reporting.report; print([m for m in ('torch', 'onnx') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_folder_without_a_run_is_refused(tmp_path, capsys):
    assert main(["report", str(tmp_path), "-o", str(tmp_path / "report.html")]) == 2
    assert "neither a run nor an evaluation" in capsys.readouterr().err and not list(tmp_path.iterdir())


def test_two_runs_of_the_same_name_can_be_told_apart(tmp_path):
    runs = [write_run(tmp_path / seed / "unet", "unet") for seed in ("first", "second")]
    write_report(runs, tmp_path / "report.html")
    assert "second/unet" in (tmp_path / "report.html").read_text("utf-8")


def shifted() -> tuple[np.ndarray, np.ndarray]:
    """Prediction and reference [I, P, L]: blocks that agree less and less from slice to slice."""
    reference = np.zeros((60, 60, 60), np.uint8)
    reference[20:40, 20:40, 10:50] = 1
    prediction = np.zeros_like(reference)
    for place in range(10, 50):
        prediction[20:40, 20 + (place - 10) // 4 : 40 + (place - 10) // 4, place] = 1
    return prediction, reference


def test_examples_are_best_and_worst_slices_apart(tmp_path):
    prediction, reference = shifted()
    reference[20:24, 20:22, 2] = 1  # a handful of missed pixels is not worth a picture
    examples = Examples()
    image = np.arange(reference.size, dtype=np.float32).reshape(reference.shape)
    examples.add("a", "sagittal", "sagittal", image, prediction, everything_judged(reference))
    examples.write(tmp_path / "examples.npz")
    kept = read_examples(tmp_path / "examples.npz")
    assert [e.kind for e in kept] == ["best"] * COUNT + ["worst"] * COUNT
    assert kept[0].dice == 1.0 and kept[0].slice == 11
    worst = [e.slice for e in kept if e.kind == "worst"]
    assert worst[0] in range(47, 51) and all(abs(a - b) >= 10 for a in worst for b in worst if a != b)
    assert kept[0].image.dtype == np.uint8 and kept[0].image.shape == kept[0].judged.shape


@pytest.mark.parametrize(("images", "expected"), [(1, ["best"]), (3, ["best", "best", "worst"])])
def test_no_picture_is_both_best_and_worst(tmp_path, images, expected):
    examples = Examples()
    for shift in range(images):
        reference = np.zeros((40, 40, 1), np.uint8)
        reference[10:30, 10:30] = 1
        prediction = np.roll(reference, shift, axis=1)
        examples.add(f"x{shift}", "sagittal", "sagittal", reference * 1.0, prediction, everything_judged(reference))
    examples.write(tmp_path / "examples.npz")
    kept = read_examples(tmp_path / "examples.npz")
    assert [example.kind for example in kept] == expected
    assert len({example.case for example in kept}) == images


def test_single_images_are_not_called_slices(tmp_path):
    run = write_run(tmp_path / "xray", "segnet")
    config = yaml.safe_load((run / "config.yaml").read_text("utf-8"))
    config["data"] = {"datasets": [{"name": "Radiographs", "layout": "images2d"}]}
    config["differences"] = ["Nobody was asked.", "Nobody was asked."]
    (run / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    folder = write_evaluation(run, [0.8])
    with (folder / "slices.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    write_csv(rows[5:6], folder / "slices.csv")
    [html, *_] = write_report([run], tmp_path / "report.html")
    text = html.read_text("utf-8")
    assert "single images" in text and "sagittal slices, start" not in text and "Dice per slice" not in text
    assert "Best images: test<" in text and "Activation maps<" in text, "radiographs have no planes"
    assert text.count("Different from what was published: Nobody was asked.") == 1
    assert text.count("Nobody was asked.") == 1


def test_titles_are_no_wider_than_their_pictures():
    example = Example("worst", "Dataset910_patient_00001_posterior", "sagittal", "sagittal", 4, 0.5, *[None] * 5)
    lines = _title(example, width=1.3, tell_slice=True)
    assert "".join(lines[1:-1]) == example.case and lines[-1] == "slice 4"
    with drawing(5, 1) as figure:
        renderer = FigureCanvasAgg(figure).get_renderer()
        texts = [figure.text(0, 0, line, fontsize=8.5) for line in lines]
        widths = [text.get_window_extent(renderer).width / figure.dpi for text in texts]
    assert max(widths) <= 1.3


def test_false_pixels_have_colours_of_their_own(tmp_path):
    prediction, reference = shifted()
    examples = Examples()
    examples.add("a", "sagittal", "sagittal", reference * 1.0, prediction, everything_judged(reference))
    examples.write(tmp_path / "examples.npz")
    picture = np.asarray(Image.open(io.BytesIO(overlays(read_examples(tmp_path / "examples.npz")))).convert("RGB"))
    for colour in (FALSE_NEGATIVE, FALSE_POSITIVE):
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert (np.abs(picture.astype(int) - wanted).max(axis=2) < 25).sum() > 2000  # far more than the legend's


def test_a_run_with_a_single_case_can_be_drawn():
    assert all_runs([("a", [0.5], 0.5, None)]).rstrip().endswith(b"</svg>")
