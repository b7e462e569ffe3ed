"""Which measures stand in which row of the panel's two tables: of levels and curves, and of discs and canal."""

from collections.abc import Iterable, Sequence

from slicer.i18n import tr as _

from SpineInference.measuring.morphometry.measure import Measure

from .MeasuresTable import Column

Rows = list[list[Measure]]

_OF_DEFORMED_BODIES = "deformity", "genant_grade"


def levelRows(measures: Sequence[Measure]) -> tuple[Rows, Rows]:
    """A row for each level, and sentences about curves and deformed bodies."""
    curves = [each for each in measures if each.kind == "curve"]
    bodies = [each for each in measures if each.kind == "body" and each.name in _OF_DEFORMED_BODIES]
    deformed = {each.at for each in bodies if each.name == "genant_grade" and each.value}
    sentences = [*curves, *(each for each in bodies if each.at in deformed)]
    return _byPlace(each for each in measures if each.kind == "level"), _byPlace(sentences)


def discRows(measures: Sequence[Measure]) -> tuple[Rows, Rows]:
    """A row for each disc and the canal there, and sentences about all of them. The canal beside bodies has no row."""
    ofAll = [each for each in measures if _isOfAllDiscs(each)]
    discs, canal = (
        [each for each in measures if each.kind == kind and each not in ofAll] for kind in ("disc", "canal")
    )
    levels = {each.at for each in (*discs, *measures) if each.kind in ("disc", "level")}
    canal = [each for each in canal if each.at in levels]
    places = _inOrder(_placesOf(discs), _placesOf(canal))
    return [[each for each in (*discs, *canal) if each.at == place] for place in places], _byPlace(ofAll)


def levelColumns() -> list[Column]:
    """The columns of the table of levels."""
    return [
        Column(_("Level"), "", _("! look at the endplates first: the tip says why. Click a row to draw its lines.")),
        Column(_("Slip\nmm"), "slip", _("Of the upper body on the lower one; positive: forwards.")),
        Column(_("Slip\n%"), "slip_percent", _("The slip in parts of the endplate below.")),
        Column(_("Disc\n°"), "disc_angle", _("Between the endplates beside the disc; positive: lordosis.")),
        Column(
            _("Segment\n°"), "segmental_angle", _("Between the outer endplates of both bodies; positive: lordosis.")
        ),
    ]


def discColumns() -> list[Column]:
    """The columns of the table of discs and canal."""
    height = _("Height of the disc in its {third} third.")
    return [
        Column(_("Disc"), "", _("! the tip says what to look at first. Click a row to draw its lines.")),
        Column(_("Ant.\nmm"), "anterior_disc_height", height.format(third=_("anterior"))),
        Column(_("Mid.\nmm"), "middle_disc_height", height.format(third=_("middle"))),
        Column(_("Post.\nmm"), "posterior_disc_height", height.format(third=_("posterior"))),
        Column(_("Index"), "disc_height_index", _("Height of the disc in parts of that of the bodies beside it.")),
        Column(_("Signal"), "disc_signal", _("Of the disc in parts of that of the fluid in the canal beside it.")),
        Column(_("Canal\nmm"), "canal_diameter", _("From the front to the back of the spinal canal at the disc.")),
        Column(_("Canal\nmm²"), "canal_area", _("Cross-section of the spinal canal at the disc."), False),
        Column(_("Cord\nmm"), "cord_diameter", _("From the front to the back of the spinal cord at the disc."), False),
        Column(_("Cord\n%"), "cord_occupation", _("Diameter of the cord in parts of that of the canal."), False),
    ]


def _isOfAllDiscs(measure: Measure) -> bool:
    # Without fluid to compare with, no disc has a signal: it is told once.
    return measure.name == "narrowest_level" or (measure.name == "disc_signal" and measure.value is None)


def _byPlace(measures: Iterable[Measure]) -> Rows:
    rows: dict[str, list[Measure]] = {}
    for measure in measures:
        rows.setdefault(measure.at, []).append(measure)
    return list(rows.values())


def _placesOf(measures: Iterable[Measure]) -> list[str]:
    return list(dict.fromkeys(each.at for each in measures))


def _inOrder(discs: list[str], levels: list[str]) -> list[str]:
    """All places from top to bottom, as both lists are."""
    places, left = [], levels
    for disc in discs:
        end = left.index(disc) + 1 if disc in left else 0
        places += left[:end] or [disc]
        left = left[end:]
    return places + left
