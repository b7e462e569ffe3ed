"""The centre line of the spine, and how far along it a point lies.

Points are in mm in the order I, P, L (inferior, posterior, left). The line is given as P and L as polynomials of I:
in canonical orientation a spine runs within about 60 degrees of I, however curved or oblique it is.
"""

import numpy as np
from numpy.polynomial import Polynomial

from ..processors import in_threads

_STEP_MM = 1.0
_ENOUGH_POINTS = 20_000
_POINTS_AT_A_TIME = 32_768
"""So few stay in the cache of a processor."""
_STEEPEST = 0.5
"""Cosine of the largest angle between the spine and the I axis."""
_ELONGATED = 1.2
"""A column is at least so many times longer than wide."""


class SpineCurve:
    """A smooth line through weighted points, which goes on straight beyond both ends."""

    def __init__(self, points: np.ndarray, weights: np.ndarray, degree: int):
        """Least squares through `points` [n, 3] with `weights` [n]; `degree` 0 is a vertical, 1 a straight line."""
        along = points[:, 0]
        degree = min(degree, len(np.unique(along)) - 1)
        self._ends = along.min(), along.max()
        # numpy takes these ends by itself, but before 2.1 it divides by their distance, 0 for a single position.
        domain = self._ends if self._ends[0] < self._ends[1] else (along[0] - 1, along[0] + 1)
        self._sides = [Polynomial.fit(along, points[:, axis], degree, domain, w=np.sqrt(weights)) for axis in (1, 2)]
        self._slopes = [side.deriv() for side in self._sides]
        self._along = np.arange(self._ends[0], self._ends[1] + _STEP_MM, _STEP_MM)
        speed = np.linalg.norm(np.column_stack([np.ones(len(self._along)), self._slope(self._along)]), axis=1)
        self._length = np.concatenate([[0.0], np.cumsum((speed[1:] + speed[:-1]) / 2 * _STEP_MM)])

    def at(self, along: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Points of the line [n, 3] and unit tangents pointing down [n, 3] at the I coordinates `along` [n]."""
        inside = np.clip(along, *self._ends)
        slope = self._slope(along)
        sides = np.column_stack([side(inside) for side in self._sides]) + slope * (along - inside)[:, None]
        tangents = np.column_stack([np.ones(len(along)), slope])
        return np.column_stack([along, sides]), tangents / np.linalg.norm(tangents, axis=1, keepdims=True)

    def foot_of(self, points: np.ndarray) -> np.ndarray:
        """The I coordinates [n] of the places on the line that are nearest to `points` [n, 3]."""
        height, *sides = np.asarray(points, float).T
        along = height.copy()
        for _ in range(4):  # along the tangent (1, slopes) to below the point
            inside = np.clip(along, *self._ends)
            way, length = height - along, np.ones(len(along))
            for line, slope_of, side in zip(self._sides, self._slopes, sides, strict=True):
                slope = slope_of(inside)
                way += (side - line(inside) - slope * (along - inside)) * slope
                length += slope * slope
            along += way / length
        return along

    def position_of(self, points: np.ndarray) -> np.ndarray:
        """How far [n] along the line, in mm downwards from its upper end, the feet of `points` [n, 3] lie."""
        some = range(0, max(1, len(points)), _POINTS_AT_A_TIME)
        return np.concatenate(
            in_threads(lambda start: self._position_of(points[start : start + _POINTS_AT_A_TIME]), some)
        )

    def _position_of(self, points: np.ndarray) -> np.ndarray:
        along = self.foot_of(points)
        inside = np.clip(along, *self._ends)
        _, tangents = self.at(along)
        return np.interp(inside, self._along, self._length) + (along - inside) / tangents[:, 0]

    def distance_of(self, points: np.ndarray) -> np.ndarray:
        """Distances [n] of `points` [n, 3] from the line in mm."""
        return np.linalg.norm(points - self.at(self.foot_of(points))[0], axis=1)

    def _slope(self, along: np.ndarray) -> np.ndarray:
        inside = np.clip(along, *self._ends)
        return np.column_stack([slope(inside) for slope in self._slopes])


def fit_spine_curve(points: np.ndarray, mm_per_bend: float) -> SpineCurve:
    """The line through a cloud of points [n, 3] that fills the column, with one bend for every `mm_per_bend`.

    Fitted through the centroids of cross-sections, which are perpendicular to the longest axis of the cloud at first
    and then to the line found so far.
    """
    points = points[:: max(1, len(points) // _ENOUGH_POINTS)]
    position = points @ _long_axis(points)
    for _ in range(3):
        section = np.floor((position - position.min()) / _STEP_MM).astype(int)
        area = np.bincount(section)
        filled = area > 0
        sums = [np.bincount(section, points[:, axis])[filled] for axis in range(3)]
        degree = min(7, round(np.ptp(position) / mm_per_bend))
        curve = SpineCurve(np.column_stack(sums) / area[filled, None], area[filled], degree)
        position = curve.position_of(points)
    return curve


def _long_axis(points: np.ndarray) -> np.ndarray:
    """The unit vector along which `points` are spread most, or the I axis where that is not along the spine.

    One body is wider than high, and says nothing about the direction of the spine. Neither does a single point.
    """
    if len(points) < 2:
        return np.array([1.0, 0.0, 0.0])
    variances, axes = np.linalg.eigh(np.cov(points.T))
    longest = axes[:, 2] * np.sign(axes[0, 2])
    if longest[0] > _STEEPEST and variances[2] > _ELONGATED**2 * variances[1]:
        return longest
    return np.array([1.0, 0.0, 0.0])
