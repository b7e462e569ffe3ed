"""A data set and a configuration so small that a training run takes a second."""

from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import SimpleITK as sitk
import torch
import yaml

from SegTraining.config.config import Config

DATASET = "Dataset001_Blocks"


def make_dataset(folder: Path, names: tuple[str, ...] = ("a", "b", "c", "d"), dataset: str = DATASET) -> Path:
    """Bright blocks, one above the other, in noise; the topmost is not labelled. `folder` is the data folder."""
    for number, name in enumerate(names):
        image, labels = make_case(number)
        write_case(folder / dataset, name, image, labels)
    return folder


def make_case(seed: int, shape: tuple[int, int, int] = (64, 40, 36)) -> tuple[np.ndarray, np.ndarray]:
    """Canonical image (int16) and instances (18, 19, ...) [I, P, L] of one case."""
    rng = np.random.default_rng(seed)
    image = rng.normal(30, 4, shape)
    image[:, 4:-4, 4:-4] += 60
    labels = np.zeros(shape, np.uint8)
    for index, top in enumerate((2, 20, 38)):
        block = (slice(top, top + 12), slice(12, 28), slice(10, 26))
        image[block] += 120
        if index:
            labels[block] = 17 + index
    return image.astype(np.int16), labels


def as_image(canonical_array: np.ndarray, orientation: str = "LPS") -> sitk.Image:
    image = sitk.GetImageFromArray(canonical_array)
    image.SetDirection(sitk.DICOMOrientImageFilter.GetDirectionCosinesFromOrientation("LPI"))
    return sitk.DICOMOrient(image, orientation)


def write_case(dataset_folder: Path, name: str, image: np.ndarray, labels: np.ndarray) -> None:
    for part, array, file in (
        ("imagesTr", image, f"{name}_0000.nii.gz"),
        ("labelsTr", (labels > 0).astype(np.uint8), f"{name}.nii.gz"),
        ("instancesTr", labels, f"{name}.nii.gz"),
    ):
        (dataset_folder / part).mkdir(parents=True, exist_ok=True)
        sitk.WriteImage(as_image(array), str(dataset_folder / part / file))


def settings(**changes: dict[str, Any]) -> dict[str, Any]:
    """A complete configuration as plain values; `changes` update whole sections."""
    content: dict[str, Any] = {
        "name": "tiny",
        "plane": "sagittal",
        "model_info": {
            "title": "Tiny",
            "anatomy": "blocks",
            "modality": "MR",
            "licence": "none",
            "data_statement": "blocks",
        },
        "data": {
            "datasets": [{"name": DATASET, "unlabelled_above": "ignore"}],
            "split": {"validation": ["c"], "test": ["d"]},
        },
        "input": {"context_slices": 1},
        "network": {
            "family": "unet",
            "arguments": {
                "encoder": "tu-resnet18",
                "encoder_depth": 3,
                "encoder_arguments": {"channels": [8, 8, 8, 8], "stem_type": "deep", "stem_width": 4},
                "decoder_channels": [8, 8, 8],
            },
        },
        "augmentation": {
            "rotation": {"low": -20, "high": 20},
            "gaussian_noise": {"low": 0.01, "high": 0.01},
            "thick_slices": {"low": 1, "high": 3},
        },
        "optimiser": {"learning_rate": 0.01},
        "schedule": {"warmup_steps": 2},
        "training": {
            "crop": [64, 32],
            "batch_size": 4,
            "steps_per_epoch": 4,
            "max_epochs": 2,
            "ema_decay": 0.9,
            "precision": "32-true",
            "accelerator": "cpu",
            "threads": 1,
            "deterministic": True,
        },
    }
    for section, values in changes.items():
        content[section] = {**content.get(section, {}), **values} if isinstance(values, dict) else values
    return content


def config(**changes: dict[str, Any]) -> Config:
    """The configuration with these settings."""
    return Config.model_validate(settings(**changes))


def write_settings(path: Path, **changes: dict[str, Any]) -> Path:
    path.write_text(yaml.safe_dump(settings(**changes)), "utf-8")
    return path


def last_state(run_folder: Path) -> dict[str, torch.Tensor]:
    """What a resumed run goes on with: network, moving average and its counter."""
    return torch.load(run_folder / "last.ckpt", weights_only=True)["state_dict"]


def best_weights(run_folder: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(run_folder / "weights.safetensors")


def same(first: dict[str, torch.Tensor], second: dict[str, torch.Tensor]) -> bool:
    """Whether both hold the same tensors, bit for bit."""
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
