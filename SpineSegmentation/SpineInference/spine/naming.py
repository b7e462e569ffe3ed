"""What vertebral bodies are called: as the user says, else as the scan shows, else by number."""

from collections.abc import Callable, Sequence

from ..errors import SpineError
from ..models.manifest import deserves_a_look
from ..monitor import Monitor
from ..options import Options
from .level_recognition import Proposal
from .levels import Naming, Segment, parse_level
from .vertebrae import assign_levels

SACRUM = "S1"


def name_bodies(
    qualities: Sequence[float], options: Options, propose: Callable[[], Proposal | None], monitor: Monitor
) -> tuple[list[Segment], Naming]:
    """The segments of bodies with these `qualities` from top to bottom; `propose` is asked only where the user gives no
    level.

    One segment fewer than bodies where the last one turns out to be a piece of the sacrum that nobody asked for: the
    models have not been taught the sacrum, and now and then take the upper part of it for one more body.
    """
    segments, naming = _named(len(qualities), options, propose, monitor)
    wanted = options.bottom_level is not None and parse_level(options.bottom_level).name == SACRUM
    if segments and segments[-1].name == SACRUM and deserves_a_look(qualities[-1]) and not wanted:
        monitor.note(f"A piece of {SACRUM} was found and left out: the model does not know the sacrum.")
        segments = segments[:-1]
    return segments, naming


def _named(
    count: int, options: Options, propose: Callable[[], Proposal | None], monitor: Monitor
) -> tuple[list[Segment], Naming]:
    if options.top_level or options.bottom_level:
        try:
            return assign_levels(count, options.top_level, options.bottom_level), Naming("given")
        except SpineError as error:  # a wrong guess of the level shall not cost the segmentation
            monitor.note(f"{error} Until then the vertebrae are numbered.")
            return assign_levels(count), Naming("numbered")
    proposal = propose() if count and options.propose_levels else None
    if proposal is None:
        return assign_levels(count), Naming("numbered")
    confidence = int(100 * proposal.confidence) / 100  # rounded down: what is not certain shall not look so
    monitor.note(
        f"Levels from {proposal.anchor}, confidence {confidence:.2f}; name the topmost vertebra if it is wrong."
    )
    return assign_levels(count, proposal.top_level), Naming("proposed", confidence, proposal.anchor)
