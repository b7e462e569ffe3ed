"""Deformities of bodies by their heights: wedge, biconcave and crush, and the grade that Genant's method would give.

The method (Genant et al. 1993) is visual: a vertebra that has lost 20 to 25 % of a height is grade 1, up to 40 % grade
2, more is grade 3. Here the loss is computed from heights in the mid-sagittal plane: of the anterior and of the middle
one against the posterior height of the same body, and of the whole body against its neighbours (Eastell et al. 1991),
where both the anterior and the posterior height must be lower. Not every deformity is a fracture: it is a suggestion.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GRADES = 0.20, 0.25, 0.40
"""Losses of height from which on a deformity is of grade 1, 2 and 3."""
_GROWTH = 1.03
"""How much higher a body is than the one above it, in the mean from T2 to L3."""
_NEIGHBOURS = 3
"""As many bodies above and below say how high a body should be."""
_FEWEST_NEIGHBOURS = 2
_WITHOUT_GRADE = ("C", "S")


@dataclass(frozen=True)
class Deformity:
    """The ratios of a body's heights, `crush` None without enough neighbours; `kind` is that of the largest loss."""

    wedge: float
    biconcave: float
    crush: float | None

    @property
    def kind(self) -> str:
        """ "wedge", "biconcave" or "crush"; "none" below grade 1."""
        return self._worst[0] if self.grade else "none"

    @property
    def ratio(self) -> float:
        """The one that the grade rests on."""
        return self._worst[1]

    @property
    def grade(self) -> int:
        return grade_of(1 - self.ratio)

    @property
    def _worst(self) -> tuple[str, float]:
        # A crushed body may be wedged as well: what is lower than its neighbours behind, too, is crushed.
        ratios = {"wedge": self.wedge, "biconcave": self.biconcave, "crush": self.crush}
        return min(((kind, ratio) for kind, ratio in ratios.items() if ratio is not None), key=lambda pair: pair[1])


def grade_of(loss: float) -> int:
    """The grade of a loss of height (0 to 1)."""
    # A loss of exactly a fifth must not depend on the last bit.
    return int(sum(loss >= least - 1e-9 for least in GRADES))


def is_graded(level: str) -> bool:
    """Whether Genant's method is for this level: of the chest and the loins, or not known."""
    return not level.startswith(_WITHOUT_GRADE)


def deformities(heights: Sequence[tuple[float, float, float] | None]) -> list[Deformity | None]:
    """From the anterior, middle and posterior heights of neighbouring bodies of chest and loins, from top to bottom;
    None for those not measured."""
    found: list[Deformity | None] = []
    for index, own in enumerate(heights):
        if own is None:
            found.append(None)
            continue
        anterior, middle, posterior = own
        expected = _expected(heights, index)
        crush = None if expected is None else max(anterior / expected[0], posterior / expected[1])
        found.append(Deformity(anterior / posterior, middle / posterior, crush))
    return found


def _expected(heights: Sequence[tuple[float, float, float] | None], index: int) -> tuple[float, float] | None:
    """The anterior and posterior height that the neighbours promise.

    Bodies grow from level to level downwards. A fracture makes them lower, never higher, and one rarely comes alone:
    the higher half of the neighbours counts.
    """
    near = range(max(0, index - _NEIGHBOURS), min(len(heights), index + _NEIGHBOURS + 1))
    known = [other for other in near if other != index and heights[other] is not None]
    if len(known) < _FEWEST_NEIGHBOURS:
        return None
    promised = np.array([np.array(heights[other]) * _GROWTH ** (index - other) for other in known])
    higher = np.sort(promised, axis=0)[len(known) // 2 :].mean(axis=0)
    return float(higher[0]), float(higher[2])
