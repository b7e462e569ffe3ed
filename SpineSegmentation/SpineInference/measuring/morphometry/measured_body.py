"""What the measures of discs and canal need to know of a body that has been measured."""

from collections.abc import Iterable
from typing import Protocol

from ..measurements import VertebraMeasurement
from .landmarks import Heights, PlacedEndplate
from .measure import DOUBTFUL_BODY


class MeasuredBody(Protocol):
    """A row of the table of bodies with its landmarks; None for what the scan does not hold."""

    row: VertebraMeasurement

    @property
    def superior(self) -> PlacedEndplate | None: ...

    @property
    def inferior(self) -> PlacedEndplate | None: ...

    @property
    def heights(self) -> Heights | None: ...

    @property
    def is_doubtful(self) -> bool: ...


def doubts_about(bodies: Iterable[MeasuredBody]) -> tuple[str, ...]:
    """The mark of what rests on these bodies, if any of them is doubtful."""
    return (DOUBTFUL_BODY,) if any(body.is_doubtful for body in bodies) else ()
