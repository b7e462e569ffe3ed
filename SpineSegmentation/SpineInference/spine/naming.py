"""What vertebral bodies are called: as the user says, else as the scan shows, else by number."""

from collections.abc import Callable

from ..errors import SpineError
from ..monitor import Monitor
from ..options import Options
from .level_recognition import Proposal
from .levels import Naming, Segment
from .vertebrae import assign_levels


def name_bodies(
    count: int, options: Options, propose: Callable[[], Proposal | None], monitor: Monitor
) -> tuple[list[Segment], Naming]:
    """The segments of `count` bodies from top to bottom. `propose` is asked only where the user gives no level."""
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
