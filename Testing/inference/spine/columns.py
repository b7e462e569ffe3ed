"""Synthetic columns: elliptic bodies along a line."""

import numpy as np

LUMBAR = {"height": 28.0, "depth": 34.0, "width": 48.0, "disc": 8.0}
CERVICAL = {"height": 13.0, "depth": 15.0, "width": 17.0, "disc": 5.0}


def straight(distance):
    return np.column_stack([distance, 0 * distance, 0 * distance])


def oblique(distance):
    """40 degrees off the axis of the scan."""
    return np.column_stack([distance * np.cos(0.7), distance * np.sin(0.7), 0 * distance])


def scoliotic(distance):
    """An S in the coronal plane (Cobb angle of about 60 degrees) on a lordosis."""
    return np.column_stack([distance * 0.93, 0.002 * (distance - 100) ** 2, 18 * np.sin(distance / 35)])


def column(count, size, spacing, line=straight, margin=12.0, disc=None):
    """Labels 1..n [I, P, L] of elliptic cylinders with a slight waist along `line`, which takes distances in mm."""
    pitch = size["height"] + (size["disc"] if disc is None else disc)
    centres = line(pitch * np.arange(count))
    steps = line(pitch * np.arange(count) + 0.5) - line(pitch * np.arange(count) - 0.5)
    reach = size["width"] / 2 + margin
    low = centres.min(axis=0) - reach
    labels = np.zeros(np.ceil((centres.max(axis=0) + reach - low) / spacing).astype(int), np.uint8)
    for number, (centre, axis) in enumerate(zip(centres, steps, strict=True), start=1):
        axis = axis / np.linalg.norm(axis)
        left = np.array([0, 0, 1.0]) - axis * axis[2]
        left /= np.linalg.norm(left)
        start = ((centre - low - reach + margin / 2) / spacing).astype(int)
        box = tuple(slice(s, s + int(2 * reach / mm)) for s, mm in zip(start, spacing, strict=True))
        grid = np.stack(np.indices(labels[box].shape), axis=-1) + start
        offset = grid * np.array(spacing) + low - centre
        w, v, u = offset @ axis, offset @ left, offset @ np.cross(left, axis)
        flare = 0.92 + 0.08 * np.minimum(1, np.abs(2 * w / size["height"])) ** 2
        inside = (np.hypot(2 * u / size["depth"], 2 * v / size["width"]) < flare) & (np.abs(w) < size["height"] / 2)
        labels[box][inside] = number
    return labels
