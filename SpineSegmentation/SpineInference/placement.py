"""How a single slice lies in the body, where its file does not say it but the user does, or the slice itself.

It goes with the result: into its record, and from there to whoever measures the result again. What it makes of an image
stands in `volume.slice_placement`.
"""

from dataclasses import dataclass

from .options import Plane


@dataclass(frozen=True)
class SlicePlacement:
    """Where the pixels of a single slice lie.

    `spacing_mm` is that between its rows and between its columns. Where `has_scale` is false it is only assumed, and no
    length is to be told. `quarter_turns` clockwise, and then its mirror image where `mirrored`, put the slice upright;
    None where it lies as its own direction cosines say.
    """

    plane: Plane
    spacing_mm: tuple[float, float]
    has_scale: bool
    quarter_turns: int | None = None
    mirrored: bool = False
