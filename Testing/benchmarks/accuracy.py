"""How good the bundled models are: scans with references through `spine-segment`'s own way, judged in 3D and in mm.

    python Testing/benchmarks/accuracy.py DATA/Dataset501_Chu DATA/Dataset502_MyoSegmenTUM
    python Testing/benchmarks/accuracy.py DATA/Dataset501_Chu --cases chu_14 chu_16 --csv cases.csv --json numbers.json
    python Testing/benchmarks/accuracy.py DATA/Dataset501_Chu --model vertebral-bodies-mr --model my-models.zip

Data sets are folders in nnU-Net's raw layout; instancesTr, with VerSe numbers, tells bodies and levels apart. Where
dataset.json names a spinal canal, the labels are taken for whole vertebrae, and what lies in front of the canal is
judged. Whatever is judged is told with the numbers; nothing that fails is left out. Several models make a column each.
"""

import argparse
import json
import os
import sys
import tempfile
import textwrap
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "SpineSegmentation")]
sys.path.append(str(HERE))  # behind everything else: a benchmark is called like a package of the tests

import SimpleITK as sitk  # noqa: E402
from accuracy_cases import (  # noqa: E402
    IN_FRONT_OF_CANAL,
    RULES,
    CaseScore,
    Source,
    judge,
    open_source,
    read_truth,
    same_images_one_patient,
)
from accuracy_tables import report, results_of, row_of  # noqa: E402

from SegTraining.data.datasets import Case  # noqa: E402
from SegTraining.evaluation.output import write_csv  # noqa: E402
from SpineInference import __version__  # noqa: E402
from SpineInference.app.requests import Request, check_request  # noqa: E402
from SpineInference.app.runner import Runner  # noqa: E402
from SpineInference.errors import SpineError  # noqa: E402
from SpineInference.files.atomic import atomic  # noqa: E402
from SpineInference.files.reading import read_labels  # noqa: E402
from SpineInference.models.catalog import open_set  # noqa: E402
from SpineInference.models.model_package import ModelPackage  # noqa: E402
from SpineInference.monitor import Monitor  # noqa: E402
from SpineInference.options import DEFAULT_MODEL, SegmentationOptions  # noqa: E402
from SpineInference.volume.geometry import canonical  # noqa: E402

BUSY = 0.5
"""More running processes than this before the benchmark begins make its times worthless."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge what the command line asks for and print it; 0, or 2 for data, models or choices that cannot be used."""
    options = _parse(arguments)
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    with tempfile.TemporaryDirectory() as temporary:
        try:
            sources = _restricted([open_source(folder.absolute()) for folder in options.folders], options.cases)
            candidates = _candidates(options, options.results or Path(temporary))
            for candidate in candidates:
                for source in sources:
                    for case in source.cases:
                        check_request(candidate.request_for(source, case))
            _say(f"Checking {sum(len(source.cases) for source in sources)} cases ...")
            sources, identical = same_images_one_patient(sources)
        except SpineError as error:
            _say(str(error))
            return 2
        scores: list[list[CaseScore]] = [[] for _ in sources]
        for source, found in zip(sources, scores, strict=True):
            for score in _judged(source, candidates):
                found.append(score)
                if options.csv:  # after every scan: what took hours shall not be lost
                    write_csv([row_of(score) for part in scores for score in part], options.csv)
    for source, found in zip(sources, scores, strict=True):
        print(report(source, found))
    notes = [f"{source.dataset.name}: {IN_FRONT_OF_CANAL}" for source in sources if source.canal is not None]
    notes += identical
    if load > BUSY:
        notes.append(f"The machine was busy before this began (load {load:.1f}): do not trust the seconds.")
    print("", RULES, *(textwrap.fill(note, 120) for note in notes), sep="\n")
    if options.json:
        about = {"program": __version__, "rules": RULES, "notes": notes}
        about["packages"] = {c.name: {p.manifest.name: p.manifest.files for p in c.packages} for c in candidates}
        results = [part for source, found in zip(sources, scores, strict=True) for part in results_of(source, found)]
        with atomic(options.json) as aside:
            aside.write_text(json.dumps(about | {"results": results}, indent=1) + "\n", encoding="utf-8")
    return 0


@dataclass(frozen=True)
class Candidate:
    """A model that is judged: its name in the tables, and what is asked of it for every scan."""

    name: str
    packages: list[ModelPackage]
    choices: Request

    def request_for(self, source: Source, case: Case) -> Request:
        output = Path(self.choices.output, source.dataset.name, case.name)
        return replace(self.choices, input=str(case.image), output=str(output))


def _candidates(options: argparse.Namespace, folder: Path) -> list[Candidate]:
    candidates: dict[str, Candidate] = {}
    for text in options.model or [DEFAULT_MODEL]:
        model = open_set(text)
        name = model.name if model.name not in candidates else f"{model.name} {len(candidates) + 1}"
        choices = Request(
            input="",
            output=str(folder / name),
            options=SegmentationOptions(
                model=text,
                planes=tuple(options.planes.split(",")) if options.planes else None,
                device=options.device,
                threads=options.threads,
            ),
            overview=options.results is not None,
        )
        candidates[name] = Candidate(name, model.packages, choices)
    return list(candidates.values())


def _judged(source: Source, candidates: list[Candidate]) -> Iterator[CaseScore]:
    """Every case with every model; the networks stay open from case to case."""
    runner = Runner()
    for number, case in enumerate(source.cases, start=1):
        truth = read_truth(case, source.canal)
        for candidate in candidates:
            labels, order = np.zeros(truth.reference.classes.shape, np.uint8), []
            seconds, failure = None, None
            try:
                written = runner.run(candidate.request_for(source, case), Monitor())
                record = written.record
                labels = sitk.GetArrayFromImage(canonical(read_labels(written.folder / record.contents["labels"])))
                order, seconds = [segment.label for segment in record.segments], record.total_seconds
            except Exception as error:  # whatever a user would meet counts against the model and stops no other case
                failure = str(error) if isinstance(error, SpineError) else repr(error)
                if not isinstance(error, SpineError):
                    traceback.print_exc()
            score, bodies, false = judge(truth, labels, order)
            named = (candidate.name, source.dataset.name, case.name, case.patient)
            result = CaseScore(*named, seconds, failure, score, bodies, false, len(truth.cut_off))
            _say(f"{number} of {len(source.cases)}: {_line(result)}")
            yield result


def _line(result: CaseScore) -> str:
    if result.failure:
        return f"{result.case}, {result.model}: FAILED: {result.failure}"
    dice = "-" if result.score.dice is None else f"{result.score.dice:.4f}"
    found = f"{len(result.bodies) - len(result.missed)} of {len(result.bodies)} found, {result.false} false"
    return f"{result.case}, {result.model}: Dice {dice}, {found}, {result.seconds:.1f} s"


def _restricted(sources: list[Source], wanted: list[str] | None) -> list[Source]:
    """Only the cases that are wanted by name, or in a file with a name on each line."""
    if wanted is None:
        return sources
    names: set[str] = set()
    for entry in wanted:
        lines = Path(entry).read_text("utf-8").splitlines() if Path(entry).is_file() else [entry]
        names |= {line.strip() for line in lines if line.strip()}
    if unknown := names - {case.name for source in sources for case in source.cases}:
        raise SpineError(f'No data set has the case "{min(unknown)}": correct --cases.')

    def kept(cases: list[Case]) -> list[Case]:
        return [case for case in cases if case.name in names]

    return [replace(source, cases=kept(source.cases)) for source in sources if kept(source.cases)]


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="data sets in nnU-Net's raw layout")
    parser.add_argument(
        "--model", action="append", metavar="NAME|FILE", help=f"may be repeated to compare (default: {DEFAULT_MODEL})"
    )
    parser.add_argument("--cases", nargs="+", metavar="CASE|FILE", help="only these: names, or a file with one a line")
    parser.add_argument("--planes", metavar="P,P", help="some of sagittal,coronal,axial (default: all that help)")
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:N or mps (%(default)s)")
    parser.add_argument("--threads", type=int, metavar="N", help="processor threads (default: all)")
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write a line for each scan and model there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all numbers there, those of each body too")
    parser.add_argument("--results", type=Path, metavar="FOLDER", help="keep what spine-segment writes, with pictures")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
