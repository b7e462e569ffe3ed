"""What nnU-Net's plans say of a 2D configuration, as a manifest says it. What that cannot say is refused."""

import math
from collections.abc import Mapping
from typing import Any

from SpineInference.errors import SpineError
from SpineInference.specs import OPPOSITE, is_orientation
from SpineInference.volume.geometry import SAME_SPACING

READERS = {"NibabelIOWithReorient": "RAS", "SimpleITKIOWithReorient": "RAS"}
"""Of nnU-Net's readers of images those that turn all of them into the same orientation."""

_ACTIVATIONS = {"LeakyReLU": 0.01, "ReLU": 0.0}
_NORMALISATIONS = {"InstanceNorm2d": "instance", "BatchNorm2d": "batch"}
_NETWORKS = {"PlainConvUNet": False, "ResidualEncoderUNet": True}
_NO_LIMIT = 1e9
_PLANES = {"L": "sagittal", "P": "coronal", "I": "axial"}


def configuration_of(plans: Mapping[str, Any], name: str) -> dict[str, Any]:
    """The configuration `name` with what it inherits. Raises SpineError where there is none, or none in 2D."""
    known, seen, merged = plans.get("configurations", {}), [], {}
    while name is not None:
        if not isinstance(known.get(name), dict) or name in seen:
            raise SpineError(f'The plans have no configuration "{name}": they know {", ".join(known)}.')
        seen.append(name)
        merged = known[name] | merged
        name = known[name].get("inherits_from")
    if len(merged.get("patch_size", ())) != 2:
        raise SpineError(f'The configuration "{seen[0]}" is a 3D one: only 2D networks can be imported.')
    return merged


def labels_of(dataset: Mapping[str, Any]) -> dict[str, int]:
    """The names and values of what the network finds, in the order of its channels.

    Raises SpineError for regions, which may overlap.
    """
    labels = {name: value for name, value in dataset.get("labels", {}).items() if name not in ("background", "ignore")}
    if any(not isinstance(value, int) for value in labels.values()):
        raise SpineError("The labels are regions that overlap (region-based training): they cannot be imported.")
    in_order = sorted(labels.items(), key=lambda label: label[1])
    if not labels or [value for _, value in in_order] != list(range(1, len(labels) + 1)):
        raise SpineError("The labels in dataset.json are not numbered from 1: this is no data set of nnU-Net v2.")
    return dict(in_order)


def channel_of(dataset: Mapping[str, Any]) -> str:
    """The name of the only channel, such as "T2" or "CT". Raises SpineError for several ones."""
    channels = dataset.get("channel_names") or dataset.get("modality") or {}
    if len(channels) != 1:
        raise SpineError(
            f"The network sees {len(channels)} channels at once ({', '.join(map(str, channels.values()))}): only "
            "networks with one can be imported."
        )
    return str(next(iter(channels.values())))


def orientation_of_plans(plans: Mapping[str, Any], stored: str | None) -> tuple[str, str]:
    """Plane and orientation (see `InputSpec`) of the slices, of training images in the orientation `stored`."""
    reader = str(plans.get("image_reader_writer"))
    stored = READERS.get(reader, stored)
    if stored is None:
        raise SpineError(
            "nnU-Net does not say how the patient lies in its arrays: give --image and one of the training images, or "
            "--orientation and where its x, y and z grow, such as LPS."
        )
    if not is_orientation(stored):
        raise SpineError(f'"{stored}" is no orientation: give three letters, such as LPS.')
    order = plans.get("transpose_forward", [0, 1, 2])
    if sorted(order) != [0, 1, 2]:
        raise SpineError("The plans say nothing sound of the order of axes (transpose_forward).")
    letters = [stored[::-1][axis] for axis in order]
    plane = _PLANES.get(letters[0]) or _PLANES[OPPOSITE[letters[0]]]
    return plane, "".join(reversed(letters))


def input_of(plans: Mapping[str, Any], configuration: Mapping[str, Any], orientation: str) -> dict[str, Any]:
    """The `input` of the manifest. Raises SpineError for what it cannot say."""
    rows, cols = (float(mm) for mm in configuration["spacing"])
    if abs(rows - cols) > SAME_SPACING * min(rows, cols):
        raise SpineError(
            f"The pixels of the network are {rows:g} x {cols:g} mm: only networks for square pixels can be imported."
        )
    if (preprocessor := configuration.get("preprocessor_name", "DefaultPreprocessor")) != "DefaultPreprocessor":
        raise SpineError(f'The images were prepared by "{preprocessor}", which is not nnU-Net\'s own: it is not known.')
    canvas = [int(side) for side in configuration["patch_size"]]
    return {
        "context_slices": 0,
        "spacing_mm": math.sqrt(rows * cols),
        "intensity": _intensity(plans, configuration),
        "orientation": orientation,
        "pad_multiple": math.gcd(*canvas, 512),
        "pad_value": 0.0,
        "canvas": canvas,
        "blending": "gaussian",
    }


def _intensity(plans: Mapping[str, Any], configuration: Mapping[str, Any]) -> dict[str, Any]:
    (scheme,), (masked,) = configuration["normalization_schemes"], configuration["use_mask_for_norm"]
    if scheme == "ZScoreNormalization":
        return {"rule": "zscore_nonzero" if masked else "zscore"}
    if scheme == "CTNormalization":
        found = plans["foreground_intensity_properties_per_channel"]["0"]
        low, high = float(found["percentile_00_5"]), float(found["percentile_99_5"])
        return {"rule": "fixed", "low": low, "high": high, "mean": float(found["mean"]), "std": float(found["std"])}
    if scheme in ("NoNormalization", "RGBTo01Normalization"):
        unit = 1.0 if scheme == "NoNormalization" else 255.0
        return {"rule": "fixed", "low": -_NO_LIMIT, "high": _NO_LIMIT, "mean": 0.0, "std": unit}
    if scheme == "RescaleTo01Normalization":
        return {"rule": "minmax"}
    raise SpineError(f'The intensities were normalised by "{scheme}", which is not nnU-Net\'s own: it is not known.')


def network_of(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments of the network family `nnunet`. Raises SpineError for another architecture."""
    architecture = configuration.get("architecture") or _older_architecture(configuration)
    name, plan = _last(architecture.get("network_class_name")), architecture.get("arch_kwargs", {})
    levels = int(plan.get("n_stages", 0))
    blocks = "n_blocks_per_stage" if _NETWORKS.get(name) else "n_conv_per_stage"
    activation, slopes = _last(plan.get("nonlin")), plan.get("nonlin_kwargs") or {}
    normalisation = plan.get("norm_op_kwargs") or {}
    unknown = [
        (name not in _NETWORKS, f"the network {name}"),
        (_last(plan.get("conv_op")) != "Conv2d", f"the convolution {_last(plan.get('conv_op'))}"),
        (_last(plan.get("norm_op")) not in _NORMALISATIONS, f"the normalisation {_last(plan.get('norm_op'))}"),
        (not normalisation.get("affine", True), "a normalisation without weights"),
        (normalisation.get("eps", 1e-5) != 1e-5, f"the epsilon {normalisation.get('eps')} of the normalisation"),
        (activation not in _ACTIVATIONS, f"the activation {activation}"),
        (bool(plan.get("nonlin_first")), "an activation before the normalisation"),
        ("Bottleneck" in str(plan.get("block")) or plan.get("bottleneck_channels") is not None, "bottleneck blocks"),
        (bool(plan.get("squeeze_excitation")), "squeeze and excitation"),
        (plan.get("stem_channels") not in (None, *_each(plan.get("features_per_stage"), levels)[:1]), "a wider stem"),
    ]
    for is_unknown, what in unknown:
        if is_unknown:
            raise SpineError(f"The plans name {what}: only nnU-Net's PlainConvUNet and ResidualEncoderUNet are known.")
    return {
        "residual": _NETWORKS[name],
        "filters": _each(plan["features_per_stage"], levels),
        "blocks": _each(plan[blocks], levels),
        "merges": _each(plan["n_conv_per_stage_decoder"], levels - 1),
        "kernels": _pairs(plan["kernel_sizes"], levels),
        "strides": _pairs(plan["strides"], levels),
        "bias": bool(plan.get("conv_bias", False)),
        "normalisation": _NORMALISATIONS[_last(plan["norm_op"])],
        "slope": float(slopes.get("negative_slope", _ACTIVATIONS[activation])),
    }


def _older_architecture(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """What plans of nnU-Net before 2.3 say in other words."""
    blocks = configuration.get("n_conv_per_stage_encoder", [])
    name, base = configuration.get("UNet_class_name"), configuration.get("UNet_base_num_features", 32)
    return {
        "network_class_name": name,
        "arch_kwargs": {
            "n_stages": len(blocks),
            "features_per_stage": [
                min(base * 2**level, configuration.get("unet_max_num_features", 512)) for level in range(len(blocks))
            ],
            "conv_op": "Conv2d",
            "kernel_sizes": configuration.get("conv_kernel_sizes"),
            "strides": configuration.get("pool_op_kernel_sizes"),
            "n_conv_per_stage": blocks,
            "n_blocks_per_stage": blocks,
            "n_conv_per_stage_decoder": configuration.get("n_conv_per_stage_decoder"),
            "conv_bias": True,
            "norm_op": "InstanceNorm2d",
            "nonlin": "LeakyReLU",
        },
    }


def _last(name: Any) -> str:
    """ "Conv2d" of "torch.nn.modules.conv.Conv2d"."""
    return str(name).rpartition(".")[2]


def _each(value: Any, levels: int) -> list[int]:
    numbers = [value] * levels if isinstance(value, int) else list(value or [])
    return [int(number) for number in numbers]


def _pairs(value: Any, levels: int) -> list[list[int]]:
    values = [value] * levels if isinstance(value, int) else value
    return [[each, each] if isinstance(each, int) else [int(number) for number in each] for each in values]
