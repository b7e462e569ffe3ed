"""The measures of a generated spine, from the numbers it was made of: what measuring its label map must find.

Landmarks are those of `SpineInference.measuring.morphometry.landmarks`, in the coordinates of the scan (LPS mm).
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from SpineInference.measuring.morphometry.endplates import INNER_WIDTH, RIM

from .anatomy import PhantomBody, Spine
from .shapes import outline

_NOTCH = 0.16
"""How deep the back of a body is hollowed in its middle (see `shapes.outline`), as a fraction of half the depth."""
_WALL_AT = 0.65
"""Corners stand over the walls as they are this far from the middle to the endplate: between a tenth and a quarter of
the height below the endplate."""


@dataclass(frozen=True, eq=False)
class BodyTruth:
    """One body: its heights (mm) in the mid-sagittal plane, its four corners there by name ("anterior_superior", ...),
    the upwards normals of its endplates, and the `fracture` that was drawn: "wedge", "biconcave", "crush" or ""."""

    name: str
    label: int
    centre: np.ndarray
    heights: tuple[float, float, float]
    corners: dict[str, np.ndarray]
    superior_normal: np.ndarray
    inferior_normal: np.ndarray
    fracture: str


@dataclass(frozen=True, eq=False)
class SpineTruth:
    """The bodies C2 to S1 from top to bottom, in the scan or not, and the person's axes: in rows the directions
    posterior, left and superior. `slips` are fractions of the depth by which bodies were moved forwards."""

    bodies: tuple[BodyTruth, ...]
    axes: np.ndarray
    slips: dict[str, float]


def truth_of(spine: Spine, turn: np.ndarray) -> SpineTruth:
    """The truth of a `spine` in a scan that was turned with its person by the rotation matrix `turn`."""
    bodies = tuple(_body(body, turn) for body in spine.bodies if body.label)
    person = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    return SpineTruth(bodies, person @ turn.T, {body.name: body.slip for body in spine.bodies if body.slip})


def _body(body: PhantomBody, turn: np.ndarray) -> BodyTruth:
    half_depth = body.depth / 2 * (1 - body.waist * (1 - _WALL_AT**2))
    front, back = -half_depth, half_depth / (1 + _NOTCH)
    slope = np.tan(np.deg2rad(body.wedge / 2))

    def edge(at: float, hollow: float) -> float:
        """How far the plane of an endplate's rim is from the middle of the height, behind the middle of the depth."""
        return body.height / 2 - at * slope - hollow * bowl

    middle = (front + back) / 2
    ratio = abs(middle) / (body.depth / 2)
    hollows = (body.hollow_top + body.hollow_bottom) * (1 - ratio**2)
    bowl = _bowl_of_rim(body)
    height = {at: edge(at, body.hollow_top) + edge(at, body.hollow_bottom) for at in (front, back)}
    heights = (height[front], body.height - 2 * middle * slope - hollows, height[back])
    corners = {
        f"{side}_{end}": turn @ body.point(0, at, up * edge(at, hollow))
        for side, at in (("anterior", front), ("posterior", back))
        for end, up, hollow in (("superior", 1, body.hollow_top), ("inferior", -1, body.hollow_bottom))
    }
    normals = [np.array([0.0, sign * slope, 1.0]) @ body.axes / np.hypot(slope, 1) for sign in (1, -1)]
    return BodyTruth(
        body.name, body.label, turn @ body.centre, heights, corners, turn @ normals[0], turn @ normals[1], body.fracture
    )


def _bowl_of_rim(body: PhantomBody) -> float:
    """How deep the hollow of an endplate is at its rim in the mean, as a fraction of its depth in the middle."""
    step = 0.25
    left, back = np.meshgrid(np.arange(-body.width, body.width, step), np.arange(-body.depth, body.depth, step))
    waist = 1 - 0.9 * body.waist  # the mean of the middle half of the height
    inside = ndimage.distance_transform_edt(outline(left, back, body.width * waist, body.depth * waist) < 1) * step
    within = np.abs(left) <= INNER_WIDTH * body.width * waist / 2
    rim = (inside >= RIM[0] * body.depth) & (inside <= RIM[1] * body.depth) & within
    return float(np.clip(1 - outline(left[rim], back[rim], body.width, body.depth) ** 2, 0, 1).mean())
