"""What a measure is: a number at a place of the spine, how sure it is, what speaks against it, and where it was taken.

Every kind of measure has a `Definition` with its unit and source, so that whoever adds one (of discs, of the canal)
adds a definition and a function that finds its values, and tables, pictures and reports know it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

CUT_OFF = "cut off by the scan"
DOUBTFUL_BODY = "doubtful body"
UNSURE_ENDPLATE = "unsure endplate"
"""The marks: no value because the scan ends there; a value that rests on a body of low quality, or on an endplate that
does not tell its direction to 4 degrees."""
THICK_SLICES = "slices too thick for endplates"
"""Why there is no value of what rests on endplates, or of the height of a disc, in slices across the spine."""
INCOMPLETE = "incomplete disc"
NOT_T2 = "fluid not brighter than bone"
NO_FLUID = "no canal to compare with"
NO_SCAN = "measured without the scan"
"""Why there is no height of a disc whose mask does not reach there, and no signal of discs."""

Line = tuple[tuple[float, float, float], tuple[float, float, float]]


@dataclass(frozen=True)
class Definition:
    """A kind of measure: its `title`, the `unit` ("mm", "mm2", "mm3", "deg", "%", "ratio", "grade" or "" for a
    word), its `source`,
    and the range that the source calls normal, where it states one."""

    title: str
    unit: str
    source: str
    normal: tuple[float | None, float | None] | None = None


GENANT = "Genant et al. 1993, J Bone Miner Res 8:1137"
EASTELL = "Eastell et al. 1991, J Bone Miner Res 6:207"
MEYERDING = "Meyerding 1932, Surg Gynecol Obstet 54:371"
COBB = "Cobb 1948, Instr Course Lect 5:261"
LENKE = "Lenke et al. 2001, J Bone Joint Surg Am 83:1169"
VIALLE = "Vialle et al. 2005, J Bone Joint Surg Am 87:260"
FYLLOS = "Fyllos et al. 2018, Surg Radiol Anat 40:1055"
MASUDA = "Masuda et al. 2005, Spine 30:5"
PFIRRMANN = "Pfirrmann et al. 2006, J Orthop Res 24:1086"
LUOMA = "Luoma et al. 2001, Spine 26:680"
LOSSEFF = "Losseff et al. 1996, Brain 119:701"
NOURI = "Nouri et al. 2017, World Neurosurg 108:112"
STEURER = "Steurer et al. 2011, BMC Musculoskelet Disord 12:175"

DEFINITIONS: dict[str, Definition] = {
    "anterior_height": Definition("Anterior height", "mm", GENANT),
    "middle_height": Definition("Middle height", "mm", GENANT),
    "posterior_height": Definition("Posterior height", "mm", GENANT),
    "wedge_ratio": Definition("Anterior / posterior height", "ratio", EASTELL),
    "biconcave_ratio": Definition("Middle / posterior height", "ratio", EASTELL),
    "crush_ratio": Definition("Height / that of the neighbours", "ratio", EASTELL),
    "deformity": Definition("Deformity", "", GENANT),
    "genant_grade": Definition("Genant grade (suggested)", "grade", GENANT),
    "slip": Definition("Slip", "mm", MEYERDING),
    "slip_percent": Definition("Slip", "%", MEYERDING),
    "meyerding_grade": Definition("Meyerding grade", "grade", MEYERDING),
    "disc_angle": Definition("Disc angle", "deg", COBB),
    "segmental_angle": Definition("Segmental angle", "deg", COBB),
    "lumbar_lordosis": Definition("Lumbar lordosis", "deg", VIALLE),
    "thoracic_kyphosis": Definition("Thoracic kyphosis", "deg", LENKE, (10.0, 40.0)),
    "cervical_lordosis": Definition("Cervical lordosis", "deg", COBB),
    "coronal_cobb": Definition("Coronal Cobb angle", "deg", COBB, (None, 10.0)),
    "coronal_apex": Definition("Apex of the coronal curve", "", COBB),
    "anterior_disc_height": Definition("Anterior disc height", "mm", FYLLOS),
    "middle_disc_height": Definition("Middle disc height", "mm", FYLLOS),
    "posterior_disc_height": Definition("Posterior disc height", "mm", FYLLOS),
    "disc_height_index": Definition("Disc height / that of the bodies", "ratio", MASUDA),
    "disc_volume": Definition("Disc volume", "mm3", PFIRRMANN),
    "disc_signal": Definition("Disc signal / that of fluid", "ratio", LUOMA),
    "canal_diameter": Definition("Canal diameter", "mm", STEURER),
    "canal_area": Definition("Canal area", "mm2", STEURER),
    "cord_diameter": Definition("Cord diameter", "mm", NOURI),
    "cord_area": Definition("Cord area", "mm2", LOSSEFF),
    "cord_occupation": Definition("Cord / canal diameter", "%", NOURI),
    "narrowest_level": Definition("Narrowest canal", "", STEURER),
}
"""Every measure by its name."""


@dataclass(frozen=True)
class Measure:
    """One number, or word, of `kind` "body", "level" (two neighbouring bodies), "curve", "disc" or "canal".

    `name` is one of `DEFINITIONS`; `at` the body ("L3"), the level or disc ("L4-L5") or both ends of a curve. `value`
    is None where it cannot be told, and `marks` say why, or what speaks against a value that is there. `error` is its
    standard error in the same unit, as far as the fit of the endplates knows it. `lines` are where it was taken, LPS
    mm.
    """

    kind: str
    at: str
    name: str
    value: float | int | str | None
    error: float | None = None
    marks: tuple[str, ...] = ()
    lines: tuple[Line, ...] = field(default=())

    @property
    def definition(self) -> Definition:
        return DEFINITIONS[self.name]

    @property
    def digits(self) -> int:
        """Decimals that a value is worth."""
        return {"mm": 1, "deg": 1, "%": 0, "ratio": 2}.get(self.definition.unit, 0)


def line(start: Sequence[float] | np.ndarray, end: Sequence[float] | np.ndarray) -> Line:
    """A line between two points in plain numbers, to a hundredth of a mm."""
    return tuple(tuple(round(float(x), 2) for x in point) for point in (start, end))
