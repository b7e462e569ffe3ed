"""How neighbouring bodies stand to each other: slip and angles in the sagittal plane.

Angles are those between endplates (Cobb 1948) in the sagittal plane of the spine; lordosis is positive, and kyphosis is
positive where it is the name of the measure. The slip is the way of the posterior inferior corner of a body from the
posterior superior corner of the one below, along the superior endplate of that (Meyerding 1932 in the form of Taillard
1954): positive forwards (anterolisthesis), negative backwards (retrolisthesis).
"""

import math

import numpy as np

from .landmarks import PlacedEndplate

MEYERDING_STEP = 25.0
LEAST_SLIP_PERCENT = 8.0
"""A smaller slip has grade 0: about 3 mm of a lumbar endplate, which healthy bodies and the measuring can differ by.
Meyerding knows no such limit."""


def sagittal_angle(endplate: PlacedEndplate, spine: np.ndarray) -> float:
    """Degrees by which the normal of an endplate leans forwards from the `spine`'s superior axis."""
    posterior, _, superior = spine @ endplate.normal
    return math.degrees(math.atan2(-posterior, superior))


def coronal_angle(endplate: PlacedEndplate, spine: np.ndarray) -> float:
    """Degrees by which the normal of an endplate leans to the left."""
    _, left, superior = spine @ endplate.normal
    return math.degrees(math.atan2(left, superior))


def lordosis(upper: PlacedEndplate, lower: PlacedEndplate, spine: np.ndarray) -> float:
    """Degrees between two endplates, positive where they open forwards."""
    return sagittal_angle(lower, spine) - sagittal_angle(upper, spine)


def slip(above: PlacedEndplate, below: PlacedEndplate, spine: np.ndarray) -> tuple[float, float] | None:
    """In mm and in per cent of the endplate below; None where the scan does not hold the corners.

    `above` is the inferior endplate of the upper body, `below` the superior one of the lower body.
    """
    if above.posterior is None or below.posterior is None or below.anterior is None:
        return None
    along = below.posterior - below.anterior
    along = along - spine[1] * (spine[1] @ along)
    length = float(np.linalg.norm(along))
    moved = float((below.posterior - above.posterior) @ along) / length
    return moved, 100 * moved / length


def meyerding_grade(percent: float) -> int:
    """0 (none) to 4, 5 where the body has slipped off altogether."""
    size = abs(percent)
    return 0 if size < LEAST_SLIP_PERCENT else min(5, math.ceil(size / MEYERDING_STEP))
