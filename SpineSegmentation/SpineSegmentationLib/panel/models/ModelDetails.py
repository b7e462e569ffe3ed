"""The description of a model from its manifests: one line, and a page of HTML."""

import html

from slicer.i18n import tr as _

from SpineInference.measuring.intervals import Interval, interval_of
from SpineInference.models.catalog import SetInfo
from SpineInference.models.manifest import Manifest

PLANES = ("sagittal", "coronal", "axial")


def planesOf(manifests: list[tuple[Manifest, int]]) -> list[str]:
    """The planes of a set's networks, sagittal first."""
    offered = {manifest.plane for manifest, _size in manifests if not manifest.recognises_levels}
    return [plane for plane in PLANES if plane in offered]


def planeName(plane: str) -> str:
    """The translated name of a plane."""
    return {"sagittal": _("sagittal"), "coronal": _("coronal"), "axial": _("axial")}[plane]


def summary(info: SetInfo, manifests: list[tuple[Manifest, int]]) -> str:
    """Modality, anatomy, planes, Dice and size of a model, in one line."""
    parts = [info.modality, info.anatomy, ", ".join(planeName(plane) for plane in planesOf(manifests))]
    if dice := [score["dice"] for score in _scores(manifests)]:
        low, high = f"{min(dice):.2f}", f"{max(dice):.2f}"
        parts.append(_("Dice {dice}").format(dice=low if low == high else f"{low}-{high}"))
    parts.append(_megabytes(sum(size for _manifest, size in manifests) or info.missing_bytes))
    return " · ".join(part for part in parts if part)


def detailsHtml(info: SetInfo, manifests: list[tuple[Manifest, int]]) -> str:
    """Description, training data, licence and scores of a model, as HTML."""
    rows = [
        (_("Made for"), f"{info.modality}, {info.anatomy}"),
        (_("Planes"), ", ".join(planeName(plane) for plane in planesOf(manifests))),
        (_("Size"), _megabytes(sum(size for _manifest, size in manifests) or info.missing_bytes)),
        (_("Licence"), info.licence),
    ]
    if info.missing_bytes:
        rows.append((_("Where"), _("Not on this computer yet: press Download, or import its file.")))
    if manifests:
        training = manifests[0][0].training
        rows += [(_("Training data"), training.data), (_("Made on"), training.date)]
    parts = [f"<h3>{html.escape(info.title)}</h3><p>{html.escape(info.description)}</p>", _table(rows)]
    if scores := _scores(manifests):
        parts.append(f"<h4>{html.escape(_('Measured on scans that it was not trained on'))}</h4>")
        parts += [_scoreTable(scores)]
    return "".join(parts)


def _scores(manifests: list[tuple[Manifest, int]]) -> list[dict]:
    """The scores of the fused set, one for each data set; those of a single network if there are no others."""
    for wanted in ("fused", *PLANES):
        for manifest, _size in manifests:
            evaluation = manifest.metrics.get("evaluation")
            rows = [row for row in evaluation if _isScore(row, wanted)] if isinstance(evaluation, list) else []
            if rows and (wanted != "fused" or len(manifests) > 1):
                return rows
    return []


def _isScore(row: object, planes: str) -> bool:
    # Nothing validates the metrics of a package.
    return isinstance(row, dict) and row.get("planes") == planes and isinstance(row.get("dice"), int | float)


def _scoreTable(scores: list[dict]) -> str:
    header = [_("Data set"), _("Scans"), _("Dice"), _("95 % interval or range"), _("Worst"), _("HD95 (mm)")]
    lines = ["".join(f"<th align='left'>{html.escape(title)}&nbsp;&nbsp;</th>" for title in header)]
    for score in scores:
        interval = interval_of(score)
        cells = [
            str(score.get("dataset", "")),
            str(score.get("cases", "")),
            _number(score["dice"], 3),
            _intervalText(interval) if interval else "",
            _number(score.get("dice_min"), 3),
            _number(score.get("hd95_mm"), 1),
        ]
        lines.append("".join(f"<td>{html.escape(cell)}&nbsp;&nbsp;</td>" for cell in cells))
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _intervalText(interval: Interval) -> str:
    bounds = f"{_number(interval.low, 3)} - {_number(interval.high, 3)}"
    if interval.is_confidence:
        return bounds
    return _("{bounds} (range of {count})").format(bounds=bounds, count=interval.range_of)


def _table(rows: list[tuple[str, str]]) -> str:
    lines = [
        f"<tr><td><b>{html.escape(name)}</b>&nbsp;&nbsp;</td><td>{html.escape(text)}</td></tr>"
        for name, text in rows
        if text
    ]
    return f"<table>{''.join(lines)}</table>"


def _number(value: object, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, int | float) else ""


def _megabytes(size: int) -> str:
    return _("{size} MB").format(size=max(1, round(size / 1e6))) if size else ""
