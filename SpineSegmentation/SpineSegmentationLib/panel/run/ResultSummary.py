"""What the status line says when a run has ended: what was found, or why nothing may have been found."""

from collections.abc import Sequence

from slicer.i18n import tr as _

from SpineInference.anatomy import DISC_CODE, Segment

from ...scene.results.ResultImport import SegmentationResult
from ..UserMessages import asSentence, durationText


def summaryOf(result: SegmentationResult) -> str:
    """One line about what was found, whose notes are shown with it; or all that is known about why nothing was."""
    time = durationText(result.seconds)
    notes = [asSentence(note) for note in result.notes]
    if result.segmentationNode is None and not result.isSpine:
        return "\n".join(
            [_("Nothing was found, so nothing was added to the scene ({time}).").format(time=time), *notes]
        )
    if result.segmentationNode is None:
        lines = [_("No vertebral body was found, so nothing was added to the scene ({time}).").format(time=time)]
        if result.singleSlice:
            lines.append(_singleSliceText(result.singleSlice))
        else:
            lines.append(
                _(
                    "Likely reasons: another kind of scan than the model is made for, another part of the body, or "
                    "only a small part of the spine in the picture."
                )
            )
        return "\n".join([*lines, *notes])
    bodies = [segment.name for segment in result.segments if segment.is_vertebra]
    others = ", ".join(_otherNames(result.segments))
    if not bodies:
        text = _("Found in {time}: {names}.").format(time=time, names=others)
    elif len(bodies) == 1:
        text = _("One vertebral body found in {time}: {first}.").format(time=time, first=bodies[0])
    else:
        text = _("{count} vertebral bodies found in {time}: {first} to {last}.").format(
            count=len(bodies), time=time, first=bodies[0], last=bodies[-1]
        )
    if bodies and others:
        text = " ".join([text, _("Also found: {names}.").format(names=others)])
    return text


def _otherNames(segments: Sequence[Segment]) -> list[str]:
    """What is no vertebra, discs by their number if there are several."""
    names = [segment.name for segment in segments if not segment.is_vertebra]
    discs = [segment.name for segment in segments if segment.code == DISC_CODE[0]]
    if len(discs) < 2:
        return names
    return [_("{count} discs").format(count=len(discs)), *(name for name in names if name not in discs)]


def _singleSliceText(plane: str) -> str:
    planes = {"sagittal": _("a sagittal"), "coronal": _("a coronal"), "axial": _("an axial")}
    return _(
        "By its geometry the scan is {plane} slice, and only the network of that plane has looked at it. If it shows "
        "another plane, turn it with a transform that is hardened, or load the picture that it was made from. "
        "Otherwise it may be another kind of scan than the model is made for, or show too little of the spine."
    ).format(plane=planes[plane])
