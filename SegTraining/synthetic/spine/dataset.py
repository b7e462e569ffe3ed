"""Data sets of spine phantoms in nnU-Net's raw layout: alike, or as various as the scans of many hospitals."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from .phantom import make_phantom

_log = logging.getLogger(__name__)

VARIETIES = ("plain", "full", "close")
"""Kinds of data sets: alike, as various as the scans of many hospitals, and sharp cut-outs, mostly of necks."""

_CONTRASTS = {
    "T2": 0.22,
    "T1": 0.2,
    "STIR": 0.14,
    "T2 fat-suppressed": 0.06,
    "PD": 0.04,
    "water": 0.08,
    "fat": 0.02,
    "CT": 0.08,
    "invented": 0.16,
}
_REGIONS = {
    "cervical": 0.2,
    "cervicothoracic": 0.1,
    "thoracic": 0.13,
    "thoracolumbar": 0.15,
    "lumbar": 0.27,
    "lumbosacral": 0.15,
}


def draw_recipe(seed: int) -> dict[str, Any]:
    """Arguments of `make_phantom` for a scan of any kind; also of a region, contrast and size drawn by `seed`."""
    rng = np.random.default_rng([seed, 1])
    region = str(rng.choice(list(_REGIONS), p=list(_REGIONS.values())))
    contrast = str(rng.choice(list(_CONTRASTS), p=list(_CONTRASTS.values())))
    small = region in ("cervical", "cervicothoracic")
    height = rng.uniform(180, 280) if small else rng.uniform(240, 400)
    depth = height * rng.uniform(0.6, 1.0)
    fine = rng.uniform(0.55, 1.1)
    extent = rng.random()
    if extent < 0.06:  # a cut-out of a few vertebrae
        height, depth = rng.uniform(60, 130, 2)
    elif extent > 0.94 and not small:  # nearly the whole spine
        height, depth, fine = rng.uniform(430, 520), rng.uniform(200, 300), rng.uniform(0.9, 1.3)
    kind = rng.choice(["sagittal", "isotropic", "axial"], p=[0.3, 0.4, 0.3] if contrast == "CT" else [0.8, 0.15, 0.05])
    if kind == "sagittal":
        thick = rng.uniform(3.0, 5.0)
        spacing, width = (fine, fine, thick), thick * rng.integers(11, 20)
    elif kind == "isotropic":
        fine = rng.uniform(0.9, 1.5)
        spacing, width, depth = (fine, fine, fine), rng.uniform(50, 100), min(depth, 220.0)
    else:
        spacing, width, depth = (fine, rng.uniform(1.5, 4.5), fine), rng.uniform(80, 160), min(depth, 180.0)
    return {
        "spacing": tuple(float(step) for step in spacing),
        "field_of_view": (float(depth), float(height), float(width)),
        "region": region,
        "contrast": contrast,
        "oblique_degrees": float(rng.uniform(0, 12)),
        "disease": float(rng.choice([0.1, 0.5, 1.0])),
        "artefacts": float(rng.uniform(0, 1)),
    }


_CLOSE_REGIONS = {"cervical": 0.62, "cervicothoracic": 0.18, "thoracic": 0.1, "lumbar": 0.1}


def draw_close_recipe(seed: int) -> tuple[dict[str, Any], float]:
    """Arguments of `make_phantom` for a sharp cut-out of a spine, mostly a neck, and how many times larger to show it.

    Of isotropic voxels, so that slices of any plane and thickness can be made of it; necks enlarged as networks are
    shown them (`SpineInference.prediction.magnification`).
    """
    rng = np.random.default_rng([seed, 7])
    any_scan = draw_recipe(seed)
    region = str(rng.choice(list(_CLOSE_REGIONS), p=list(_CLOSE_REGIONS.values())))
    small = region in ("cervical", "cervicothoracic")
    larger = rng.uniform(1.2, 1.5) if small else 1.0
    fine = rng.uniform(0.8, 1.0) / larger
    height = rng.uniform(100, 150) if small else rng.uniform(120, 180)
    recipe = {
        "spacing": (fine, fine, fine),
        "field_of_view": (rng.uniform(120, 180), height, rng.uniform(110, 180)),
        "region": region,
        "oblique_degrees": float(rng.uniform(0, 12)),
    }
    return {**any_scan, **recipe}, larger


def write_dataset(folder: Path, count: int, seed: int, variety: str = "plain", **arguments) -> None:
    """Write `count` phantoms in nnU-Net's raw layout: imagesTr, labelsTr (bodies 1), instancesTr (VerSe labels).

    Beside them lie the whole vertebrae (vertebraeTr, VerSe labels) and what each voxel is (structuresTr, `Structure`).
    The seeds are `seed`, `seed + 1`, ...; `arguments` go to `make_phantom`. With `variety` "plain" the contrasts T1,
    T2 and water take turns; with "full" each case is a scan of another kind (`draw_recipe`), with "close" a cut-out as
    networks are shown it (`draw_close_recipe`). Raises ValueError for another variety.
    """
    if variety not in VARIETIES:
        raise ValueError(f'"{variety}" is not a variety of phantoms: use {", ".join(VARIETIES)}.')
    for number in range(seed, seed + count):
        recipe, larger = {"contrast": ("T1", "T2", "water")[(number - seed) % 3]}, 1.0
        if variety == "full":
            recipe = draw_recipe(number)
        elif variety == "close":
            recipe, larger = draw_close_recipe(number)
        phantom = make_phantom(number, **{**recipe, **arguments})
        name = f"phantom_{number:05d}"
        images = {
            f"imagesTr/{name}_0000.nii.gz": phantom.image,
            f"labelsTr/{name}.nii.gz": phantom.bodies > 0,
            f"instancesTr/{name}.nii.gz": phantom.bodies,
            f"vertebraeTr/{name}.nii.gz": phantom.vertebrae,
            f"structuresTr/{name}.nii.gz": phantom.structures,
        }
        for path, image in images.items():
            image.SetSpacing([larger * mm for mm in image.GetSpacing()])
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            sitk.WriteImage(image, folder / path, True)
        _log.info(f"made {number - seed + 1} of {count}: {name}")
    description = {
        "channel_names": {"0": "MR"},
        "labels": {"background": 0, "vertebral_body": 1},
        "numTraining": count,
        "file_ending": ".nii.gz",
    }
    (folder / "dataset.json").write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
