"""What vertebral bodies are called: as the user says, else as the scan shows, else by number."""

from collections.abc import Callable, Sequence

from ..anatomy import LEVELS, Naming, Segment, parse_level
from ..errors import SpineError
from ..monitor import Monitor
from ..options import SegmentationOptions
from .level_recognition import Proposal
from .vertebrae import assign_levels

SACRUM, ABOVE_SACRUM = "S1", "L5"
PIECE_BELOW = 0.5
"""Of a lower quality, S1 is a piece of it only."""


def name_bodies(
    qualities: Sequence[float],
    options: SegmentationOptions,
    propose: Callable[[int], Proposal | None],
    monitor: Monitor,
) -> tuple[list[Segment], Naming]:
    """The segments of bodies with these `qualities` from top to bottom.

    The user's level always wins; where what the scan shows, which `propose` says of so many bodies from the top,
    contradicts it, a note tells so.

    One segment fewer than bodies where the last one is only a piece of the sacrum that nobody asked for. Whoever
    says that L5 is the last vertebra does not count the sacrum: a body that the scan shows to be S1 comes below it.
    """
    count = len(qualities)
    proposal = propose(count) if count and options.propose_levels else None
    if proposal is None and options.propose_levels and count > 1 and qualities[-1] < PIECE_BELOW:
        of_others = propose(count - 1)
        if of_others is not None and _last(count - 1, of_others.top_level) == SACRUM:
            monitor.note(f"A piece of the sacrum below {SACRUM} was found and left out.")
            count, proposal = count - 1, of_others
    sacrum = _ends_in_the_sacrum(count, options, proposal)
    if sacrum and qualities[count - 1] < PIECE_BELOW:
        monitor.note(f"A piece of {SACRUM} was found and left out: --bottom-level {SACRUM} keeps it.")
        count, sacrum = count - 1, False
    if not (options.top_level or options.bottom_level):
        return _proposed(count, proposal, monitor)
    segments, naming = _given(count, sacrum, options, monitor)
    if proposal is not None and segments and segments[0].name != proposal.top_level:
        monitor.note(
            f"The topmost vertebra looks like {proposal.top_level}, counted from {proposal.anchor} (confidence "
            f"{_rounded_down(proposal.confidence)}): check the level that you gave."
        )
    return segments, naming


def _given(count: int, sacrum: bool, options: SegmentationOptions, monitor: Monitor) -> tuple[list[Segment], Naming]:
    below = []
    if sacrum and options.bottom_level is not None and parse_level(options.bottom_level).name == ABOVE_SACRUM:
        below = [LEVELS[SACRUM]]
    try:
        return [*assign_levels(count - len(below), options.top_level, options.bottom_level), *below], Naming("given")
    except SpineError as error:  # a wrong guess of the level shall not cost the segmentation
        monitor.note(f"{error} Until then the vertebrae are numbered.")
        return assign_levels(count), Naming("numbered")


def _ends_in_the_sacrum(count: int, options: SegmentationOptions, proposal: Proposal | None) -> bool:
    """Whether the last of `count` bodies is S1 by what the scan shows, or else by the user, who did not ask for it."""
    top, bottom = options.top_level, options.bottom_level
    # Where the user sees a sixth lumbar vertebra, the scan's S1 is that.
    if bottom is not None and parse_level(bottom).name in (SACRUM, "L6"):
        return False
    seen = top if proposal is None else proposal.top_level
    return _last(count, seen) == SACRUM and (top is None or bottom is None or _last(count, top, bottom) is None)


def _last(count: int, top: str | None, bottom: str | None = None) -> str | None:
    """The name of the last of `count` bodies; None where the levels do not fit or there are none."""
    try:
        return assign_levels(count, top, bottom)[-1].name if count else None
    except SpineError:
        return None


def _proposed(count: int, proposal: Proposal | None, monitor: Monitor) -> tuple[list[Segment], Naming]:
    if proposal is None:
        return assign_levels(count), Naming("numbered")
    confidence = _rounded_down(proposal.confidence)
    monitor.note(f"Levels from {proposal.anchor}, confidence {confidence}; name the topmost vertebra if it is wrong.")
    return assign_levels(count, proposal.top_level), Naming("proposed", float(confidence), proposal.anchor)


def _rounded_down(confidence: float) -> str:
    """Two digits: what is not certain shall not look so."""
    return f"{int(100 * confidence) / 100:.2f}"
