"""Scans as a surface coil behind the patient takes them, bright at the back and dark in front, made of even ones.

    python Testing/benchmarks/coil_shading.py DATA/Dataset501_Chu SHADED/Dataset501_Chu --ratio 20
    segtraining evaluate --dataset SHADED/Dataset501_Chu --model vertebral-bodies-mr --bodies

Both folders are data sets in nnU-Net's raw layout. The sensitivity is that of a loop on its axis, in the distance from
the back; the shaded scans have 8 bits, as many archives keep them.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from changed_data_set import write_changed

from SpineInference.volume.geometry import canonical, restore
from SpineInference.volume.intensity import foreground_mask


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the data set; 0, or 2 for folders or cases that cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="a data set in nnU-Net's raw layout")
    parser.add_argument("target", type=Path, help="a new folder for the other one")
    parser.add_argument("--cases", nargs="+", metavar="CASE", help="only these")
    parser.add_argument("--ratio", type=float, default=20.0, help="back to front (20)")
    parser.add_argument("--clip", type=float, default=0.1, metavar="PERCENT", help="of the body, saturated (0.1)")
    parser.add_argument("--noise", type=float, default=0.0, help="of the receiver, in the 255 grey values (0)")
    options = parser.parse_args(arguments)
    return write_changed(
        options, lambda scan, labels: (shaded(scan, options.ratio, options.clip, options.noise), labels)
    )


def shaded(scan: sitk.Image, ratio: float, clip_percent: float = 0.1, noise: float = 0.0) -> sitk.Image:
    """`scan` as uint8 on its grid, the back of the body `ratio` times as bright as its front."""
    image = canonical(scan)
    array = sitk.GetArrayFromImage(image).astype(np.float32)
    array = np.maximum(array - np.percentile(array, 1), 0)
    body = foreground_mask(array)
    layers = np.flatnonzero(body.mean(axis=(0, 2)) > 0.02)
    depth = np.clip((layers[-1] - np.arange(array.shape[1])) / (layers[-1] - layers[0]), 0, None)
    # Of a loop of radius R, at the distance d: (1 + (d / R)^2)^-1.5, which is 1 / ratio at the front.
    array *= ((1 + depth**2 * (ratio ** (2 / 3) - 1)) ** -1.5).astype(np.float32)[:, None]
    array *= 255 / np.percentile(array[body], 100 - clip_percent)
    if noise:
        generator = np.random.default_rng(0)
        real, imaginary = (noise * generator.standard_normal(array.shape, np.float32) for _ in range(2))
        array = np.hypot(array + real, imaginary)
    quantised = sitk.GetImageFromArray(np.clip(array.round(), 0, 255).astype(np.uint8))
    quantised.CopyInformation(image)
    return restore(quantised, scan)


if __name__ == "__main__":
    sys.exit(main())
