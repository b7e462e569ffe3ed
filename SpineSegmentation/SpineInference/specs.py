"""What a model's manifest is made of: how slices are prepared, what the network is, what becomes of its output.

`models.manifest` reads and checks them; `volume`, `prediction` and `spine` follow them. Neither knows the other.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

INTENSITY_RULES = ("percentile_zscore", "percentile_minmax", "minmax", "zscore", "zscore_nonzero", "fixed")

OPPOSITE = {"L": "R", "R": "L", "P": "A", "A": "P", "I": "S", "S": "I"}
"""The letters of anatomical directions, each with that of the other end."""


def is_orientation(letters: str) -> bool:
    """Whether `letters` name a direction in which x, y and z grow, each along an axis of the patient of its own."""
    return len(letters) == 3 and sorted(min(x, OPPOSITE.get(x, "?")) for x in letters) == ["A", "I", "L"]


@dataclass(frozen=True)
class LabelSpec:
    """One label that the network finds: value, name, colour (r, g, b; 0-255) and SNOMED CT code and meaning.

    The code says what becomes of it, see `Manifest.structures`.
    """

    value: int
    name: str
    colour: tuple[int, int, int]
    code: str
    meaning: str


@dataclass(frozen=True)
class IntensityRule:
    """How a volume is normalised; `low` and `high` are percentiles of the foreground, but of `fixed`.

    `percentile_zscore` clips to the percentiles and scales to zero mean and unit variance over the foreground;
    `percentile_minmax` clips to the percentiles and scales them to 0..1. `minmax` scales the smallest and the largest
    value of all to 0..1, which single hot voxels upset: it is equation 4.4 of the thesis (Utegulov 2020).

    As nnU-Net does it: `zscore` scales to zero mean and unit variance over the box that holds all voxels but those of
    0; `zscore_nonzero` over what those enclose, and leaves the others 0; `fixed` clips to the values `low` and `high`
    of every scan, subtracts `mean` and divides by `std`.
    """

    rule: str = "percentile_zscore"
    low: float = 0.5
    high: float = 99.5
    mean: float | None = None
    std: float | None = None


@dataclass(frozen=True)
class InputSpec:
    """How slices are made: `context_slices` neighbours on each side become channels; `spacing_mm` is in-plane.

    `orientation`: where x, y and z of the volumes grow whose slices the network knows, in the patient: rows and cols
    follow each other as in an array [z, y, x]. `pad_multiple`: rows and cols are padded to a multiple of it, with
    `pad_value` or the darkest value of the volume. `canvas`: a fixed [rows, cols] instead, for networks whose output
    depends on it. By `blending` canvases overlap in a larger slice by a quarter, with means of the probabilities, or by
    half, with means of the logits that count more in the middle of a canvas, as in nnU-Net.
    """

    context_slices: int
    spacing_mm: float
    intensity: IntensityRule
    orientation: str = "LPI"
    pad_multiple: int = 32
    pad_value: float | None = None
    canvas: tuple[int, int] | None = None
    blending: Literal["equal", "gaussian"] = "equal"
    bias_correction: bool = False

    @property
    def channels(self) -> int:
        """Input channels of the network: the slice and its neighbours on both sides."""
        return 2 * self.context_slices + 1


@dataclass(frozen=True)
class OutputSpec:
    """What makes probabilities of the logits, and where the foreground begins.

    `quality_exponent` makes of the Dice that these probabilities promise the one that was measured on validation
    cases (see `quality`).
    """

    activation: Literal["sigmoid", "softmax"] = "sigmoid"
    threshold: float = 0.5
    quality_exponent: float = 1.0


@dataclass(frozen=True)
class PostprocessingSpec:
    """Defaults of the post-processing; a person may override them.

    `min_island_share`: of a typical vertebral body, where that is less than `min_island_mm3` (0: never less).
    `dilate_mm`: how far segments are grown in the end, never into each other.
    """

    min_island_mm3: float = 0.0
    min_island_share: float = 0.0
    fill_holes: bool = True
    smooth_mm: float = 0.0
    interpolate_slices: bool = False
    dilate_mm: float = 0.0


@dataclass(frozen=True)
class NetworkSpec:
    """The network as `networks.build(family, in_channels, classes, **arguments)` makes it.

    `bfloat16`: whether it may be computed with the 8 significant bits of that type where a processor is faster then.
    """

    family: str
    arguments: dict[str, Any] = field(default_factory=dict)
    bfloat16: bool = True
