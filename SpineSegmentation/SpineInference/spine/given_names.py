"""What the segments of a label map are that was given: by its values (see `anatomy`), or by the names that it has."""

import re
from collections.abc import Collection, Container, Mapping

from ..anatomy import (
    CANAL_CODE,
    CANAL_LABEL,
    COCCYX,
    CORD_CODE,
    CORD_LABEL,
    DISC_CODE,
    DISC_OFFSET,
    LEVELS,
    MOST_NUMBERED,
    NUMBERED_OFFSET,
    T13,
    Segment,
    label_below,
    numbered,
)
from ..errors import SpineError

_WITH_LEVEL = {segment.label: segment for segment in (*LEVELS.values(), T13)}
_WITHOUT_LEVEL = {NUMBERED_OFFSET + number: numbered(number) for number in range(1, MOST_NUMBERED + 1)}
_VERTEBRAE = _WITH_LEVEL | _WITHOUT_LEVEL
_OTHERS = {
    COCCYX.label: COCCYX,
    CANAL_LABEL: Segment(CANAL_LABEL, "Spinal canal", (240, 214, 90), *CANAL_CODE, is_vertebra=False),
    CORD_LABEL: Segment(CORD_LABEL, "Spinal cord", (230, 150, 130), *CORD_CODE, is_vertebra=False),
}
_DISC_COLOUR = (111, 184, 210)
_ABOVE_DISCS = {*_VERTEBRAE, NUMBERED_OFFSET} - {LEVELS["C1"].label}
"""The vertebrae under which a disc may lie, and the number 0 above the first one without a level."""
_BY_NAME = {segment.name.casefold(): label for label, segment in (_VERTEBRAE | _OTHERS).items()}
_DISC_NAME = re.compile(r"disc (above |below )?(\w+)(?:-\w+)?")
_KNOWN = (
    "1 to 28 (C1 to C7, T1 to T12, L1 to L6, S1, coccyx, T13), 60 (cord), 61 (canal), 102 to 128 (discs, 100 + the "
    "vertebra above) and, where no vertebra has a level, 31 to 59 and 130 to 159 (Vertebra 1, 2, ... and their discs)"
)
_KNOWN_NAMES = "L4, T13, Vertebra 3, Disc L4-L5, Disc 3-4, Spinal canal, Spinal cord, Coccyx and the like"
_MOST_TOLD = 9


def segments_of_labels(values: Collection[int], names: Mapping[int, str]) -> dict[int, Segment]:
    """The segment for each of the `values` (above 0) of a label map: that of its name where it has one of `names`,
    otherwise that of the value.

    Vertebrae without a level are known only where none has one: beside others, the same values are parts of the sacrum
    in label maps of TPTBox. Raises SpineError for what is not known, and for two values with the same meaning.
    """
    labels = {value: _label_of(names[value]) if value in names else value for value in values}
    have_levels = not _WITH_LEVEL.keys().isdisjoint(labels.values())
    unknown = [value for value, label in labels.items() if not _is_known(label, have_levels)]
    if unnamed := [value for value in unknown if value not in names]:
        told = _listed([str(value) for value in sorted(unnamed)])
        raise SpineError(f"nobody knows these values of its voxels: {told}; known are {_KNOWN}.")
    if unknown:
        told = _listed([f'"{names[value]}"' for value in unknown])
        raise SpineError(
            f"nobody knows these names of its segments: {told}; known are {_KNOWN_NAMES}, and without a level only all "
            "vertebrae or none."
        )
    segments = {value: _segment(label, labels.values()) for value, label in labels.items()}
    twice = {segment.name for segment in segments.values()}
    if len(twice) < len(segments):
        names_twice = [segment.name for segment in segments.values()]
        again = sorted({name for name in twice if names_twice.count(name) > 1})
        raise SpineError(f"two of its segments are called {again[0]}: put them together, or rename one of them.")
    return segments


def from_top_to_bottom(label: int) -> float:
    """Sorts the values of vertebrae: T13 lies between T12 and L1."""
    return LEVELS["T12"].label + 0.5 if label == T13.label else label


def from_top(segments: Collection[Segment]) -> list[Segment]:
    """Structures in the order of a result: discs from the top to the bottom, then the others."""
    with_level = sorted(_WITH_LEVEL, key=from_top_to_bottom)
    above = enumerate([*with_level, NUMBERED_OFFSET, *_WITHOUT_LEVEL])
    place = {DISC_OFFSET + label: number for number, label in above}
    return sorted(segments, key=lambda segment: (place.get(segment.label, len(place)), -segment.label))


def _label_of(name: str) -> int | None:
    """The value of the segment called `name`; None where nobody knows it."""
    name = " ".join(name.casefold().split())
    if disc := _DISC_NAME.fullmatch(name):
        side, vertebra = disc.groups()
        if vertebra.isdecimal():
            return DISC_OFFSET + NUMBERED_OFFSET + int(vertebra) - (side == "above ")
        label = None if side else _BY_NAME.get(vertebra)
        return None if label is None else DISC_OFFSET + label
    return _BY_NAME.get(name)


def _is_known(label: int | None, have_levels: bool) -> bool:
    if label is None:
        return False
    vertebra = label - DISC_OFFSET if label > DISC_OFFSET else label
    if vertebra >= NUMBERED_OFFSET and vertebra not in _OTHERS and have_levels:
        return False
    return vertebra in _ABOVE_DISCS if label > DISC_OFFSET else label in _VERTEBRAE or label in _OTHERS


def _segment(label: int, present: Container[int]) -> Segment:
    if label <= DISC_OFFSET:
        return (_VERTEBRAE | _OTHERS)[label]
    return Segment(label, _disc_name(label - DISC_OFFSET, present), _DISC_COLOUR, *DISC_CODE, is_vertebra=False)


def _disc_name(above: int, present: Container[int]) -> str:
    """As `discs.disc_segments` calls them."""
    number = above - NUMBERED_OFFSET
    if above in _WITH_LEVEL:
        below = label_below(above, present)
        return f"Disc {_WITH_LEVEL[above].name}-{_WITH_LEVEL[below].name if above != LEVELS['S1'].label else 'S2'}"
    if number == 0:
        return "Disc above 1"
    return f"Disc {number}-{number + 1}" if above + 1 in present else f"Disc below {number}"


def _listed(told: list[str]) -> str:
    more = len(told) - _MOST_TOLD
    return ", ".join(told[:_MOST_TOLD]) + (f" and {more} more" if more > 0 else "")
