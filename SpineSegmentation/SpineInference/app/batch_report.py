"""The page about all results in a folder, from their records."""

import json
from collections.abc import Sequence
from pathlib import Path

from ..anatomy import Naming
from ..errors import SpineError
from ..files.result_folder import RECORD_SUFFIX
from ..measuring.morphometry.measure import DOUBTFUL_BODY, Measure
from ..measuring.morphometry.tables import from_json
from ..reports.batch_page import ScanRow, write_batch_page
from ..reports.page_tables import notable
from ..reports.words import found_in_words, levels_in_words
from ..spine.quality import needs_review
from .record import Record, read_record


def write_batch(output: Path, problems: Sequence[str]) -> Path:
    """Write the page about all results in the folder `output`, those of earlier runs too, and about `problems` of scans
    without a result. Returns its path. Raises SpineError."""
    rows = []
    for path in sorted(output.glob(f"*/*{RECORD_SUFFIX}")):
        try:
            rows.append(_row(read_record(path), path.parent))
        except SpineError as error:
            problems = [*problems, str(error)]
    return write_batch_page(rows, problems, output)


def _row(record: Record, folder: Path) -> ScanRow:
    qualities = {row["level"]: row.get("quality") for row in record.measurements["vertebrae"]}
    known = [quality for quality in qualities.values() if quality is not None]
    naming, reference = record.measurements["naming"], record.measurements["reference"]
    measures = _measures(record, folder)
    names = [segment.name for segment in record.segments if segment.is_vertebra]
    others = [segment.name for segment in record.segments if not segment.is_vertebra]

    def place(kind: str) -> str | None:
        return f"{folder.name}/{record.contents[kind]}" if kind in record.contents else None

    return ScanRow(
        name=folder.name,
        found=found_in_words(names, others),
        levels=levels_in_words(Naming(**naming)) if naming and names else "",
        doubts=_doubts(record, qualities, measures),
        lowest_quality=min(known, default=None),
        seconds=record.total_seconds,
        dice=reference and reference["dice"],
        notable=notable(measures),
        report=place("report"),
        thumbnail=place("thumbnail"),
    )


def _doubts(record: Record, qualities: dict[str, float | None], measures: Sequence[Measure]) -> list[str]:
    """Why a person should look at this result before others, in words."""
    doubts = [] if record.segments else ["Nothing was found"]
    doubtful = [level for level, quality in qualities.items() if needs_review(quality)]
    if doubtful:
        doubts.append("Low quality: " + ", ".join(f"{level} ({qualities[level]:.2f})" for level in doubtful))
    unlikely = [each.at for each in measures if each.kind == "body" and DOUBTFUL_BODY in each.marks]
    if unlikely := [level for level in dict.fromkeys(unlikely) if level not in doubtful]:
        doubts.append(f"Of an unlikely shape, may be two bodies or a piece of one: {', '.join(unlikely)}")
    reference = record.measurements["reference"]
    if reference and (reference["n_missed"] or reference["n_false"]):
        doubts.append(f"Against the reference {reference['n_missed']} missed, {reference['n_false']} false")
    return doubts


def _measures(record: Record, folder: Path) -> list[Measure]:
    if "morphometry_json" not in record.contents:
        return []
    path = folder / record.contents["morphometry_json"]
    try:
        return from_json(json.loads(path.read_bytes()))
    except (OSError, ValueError):
        raise SpineError(f"{path}: the measures cannot be read: segment the scan again.") from None
