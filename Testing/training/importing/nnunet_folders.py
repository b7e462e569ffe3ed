"""Results folders as nnU-Net v2 writes them, with random weights, for tests that do not have nnU-Net."""

import json
import re
from pathlib import Path

import numpy as np
import torch

from SpineInference import networks

PLAIN = {"residual": False, "filters": [4, 8, 12], "blocks": [2, 1, 1], "merges": [1, 2]}
RESIDUAL = {"residual": True, "filters": [4, 8, 12], "blocks": [1, 2, 1], "merges": [1, 1]}
STRIDES = [[1, 1], [2, 2], [2, 1]]
KERNELS = [[3, 3], [3, 3], [3, 1]]

_BACK = [
    (r"stem\.", r"encoder.stem.convs.0."),
    (r"down\.(\d+)\.(\d+)\.first\.", r"encoder.stages.\1.blocks.\2.conv1."),
    (r"down\.(\d+)\.(\d+)\.second\.", r"encoder.stages.\1.blocks.\2.conv2."),
    (r"down\.(\d+)\.(\d+)\.project\.", r"encoder.stages.\1.blocks.\2.skip.1."),
    (r"down\.(\d+)\.(\d+)\.", r"encoder.stages.\1.0.convs.\2."),
    (r"up\.(\d+)\.", r"decoder.transpconvs.\1."),
    (r"merge\.(\d+)\.(\d+)\.", r"decoder.stages.\1.convs.\2."),
    (r"head\.", r"decoder.seg_layers.1."),
]


def random_network(arguments: dict, classes: int = 2, seed: int = 0) -> torch.nn.Module:
    """The network whose folder `write_results` writes, sure of something everywhere."""
    torch.manual_seed(seed)
    network = networks.build("nnunet", 1, classes, **arguments, kernels=KERNELS, strides=STRIDES).eval()
    with torch.no_grad():
        network.head.weight.mul_(4)
    return network


def write_results(folder: Path, arguments: dict = PLAIN, folds: int = 1, **changes) -> Path:
    """The folder, with the network of seed 0 in fold 0 and so on; `changes` are of the 2D configuration."""
    folder.mkdir(parents=True)
    write_json(folder / "dataset.json", dataset())
    write_json(folder / "plans.json", plans(arguments, **changes))
    for fold in range(folds):
        (folder / f"fold_{fold}").mkdir()
        weights = random_network(arguments, seed=fold).state_dict()
        torch.save(checkpoint(weights), folder / f"fold_{fold}" / "checkpoint_final.pth")
    return folder


def dataset(**changes) -> dict:
    return {
        "channel_names": {"0": "T2"},
        "labels": {"background": 0, "disc": 1},
        "numTraining": 3,
        "file_ending": ".nii.gz",
    } | changes


def plans(arguments: dict, **changes) -> dict:
    residual = arguments["residual"]
    network = {
        "n_stages": 3,
        "features_per_stage": arguments["filters"],
        "conv_op": "torch.nn.modules.conv.Conv2d",
        "kernel_sizes": KERNELS,
        "strides": STRIDES,
        "n_blocks_per_stage" if residual else "n_conv_per_stage": arguments["blocks"],
        "n_conv_per_stage_decoder": arguments["merges"],
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
        "dropout_op": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    }
    resampling = {
        key: value
        for what, order in (("data", 3), ("seg", 1), ("probabilities", 1))
        for key, value in (
            (f"resampling_fn_{what}", "resample_data_or_seg_to_shape"),
            (
                f"resampling_fn_{what}_kwargs",
                {"is_seg": what == "seg", "order": order, "order_z": 0, "force_separate_z": None},
            ),
        )
    }
    name = "ResidualEncoderUNet" if residual else "PlainConvUNet"
    two = {
        "preprocessor_name": "DefaultPreprocessor",
        "patch_size": [48, 32],
        "spacing": [1.0, 1.0],
        "normalization_schemes": ["ZScoreNormalization"],
        "use_mask_for_norm": [False],
        "architecture": {
            "network_class_name": f"dynamic_network_architectures.architectures.unet.{name}",
            "arch_kwargs": network,
            "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
        },
        "data_identifier": "nnUNetPlans_2d",
        "batch_size": 2,
    } | resampling
    return {
        "dataset_name": "Dataset123_Discs",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [2, 0, 1],
        "transpose_backward": [1, 2, 0],
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": {"mean": 90.0, "std": 25.0, "percentile_00_5": 10.0, "percentile_99_5": 200.0}
        },
        "configurations": {
            "2d": two | changes,
            "3d_fullres": two | {"patch_size": [16, 48, 32], "spacing": [3.0, 1.0, 1.0]},
            "2d_larger": {"inherits_from": "2d", "patch_size": [96, 64]},
        },
    }


def checkpoint(weights: dict[str, torch.Tensor], **changes) -> dict:
    """As nnU-Net's trainer writes it: each weight by all its names, and curves of numpy's numbers."""
    named = {}
    for own, tensor in weights.items():
        name = next(re.sub(old, new, own) for old, new in _BACK if re.match(old, own))
        named[name] = tensor
        twice = re.sub(r"\.(conv|norm)\.(?=\w+$)", lambda m: f".all_modules.{'01'[m[1] == 'norm']}.", name)
        named[twice] = tensor
        if name.startswith("encoder."):
            named |= {f"decoder.{each}": tensor for each in (name, twice)}
        if name.startswith("decoder.seg_layers.1."):  # of deep supervision
            deep = torch.zeros(len(tensor), 8, 1, 1) if name.endswith("weight") else torch.zeros(len(tensor))
            named[name.replace("layers.1", "layers.0")] = deep
    return {
        "network_weights": named,
        "optimizer_state": {"state": {}, "param_groups": [{"lr": 0.01, "momentum": 0.99}]},
        "grad_scaler_state": None,
        "logging": {"mean_fg_dice": [np.float64(0.5), np.float32(0.6)], "epoch_end_timestamps": [1.0]},
        "_best_ema": np.float64(0.55),
        "current_epoch": 5,
        "init_args": {
            "plans": {},
            "configuration": "2d",
            "fold": 0,
            "dataset_json": {},
            "device": torch.device("cpu"),
        },
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1),
    } | changes


def write_json(path: Path, content: dict) -> None:
    path.write_text(json.dumps(content), "utf-8")
