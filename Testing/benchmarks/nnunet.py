"""What a user would pick instead: nnU-Net v2, 2D, on the volume of `inference.py`, in an environment of its own.

    python -m venv nnunet && nnunet/bin/pip install nnunetv2
    python Testing/benchmarks/inference.py --nnunet nnunet/bin/python    # both ways, beside the pipeline

That runs, for each way, `nnunet/bin/python Testing/benchmarks/nnunet.py FOLDER [--mirroring] [--slices N]`.

The network is the plain 2D U-Net that nnU-Net's planner makes for slices of 1 mm of this size, with random weights:
what it finds is nothing, what it costs is what it costs. nnU-Net's own code resamples to 1 mm, normalises, predicts
every slice of one plane (of the three that the pipeline looks at) in overlapping tiles, and resamples back; reading is
not counted. Prints one line of JSON, without the peak memory where it was extrapolated. Mirroring is nnU-Net's default.
"""

import argparse
import json
import sys
import time
from pathlib import Path

SPACING_MM = 1.0
PATCH = [384, 384]
FEATURES = [32, 64, 128, 256, 512, 512, 512]
DATASET = {"channel_names": {"0": "MRI"}, "labels": {"background": 0, "vertebra": 1}, "file_ending": ".nrrd"}


def main() -> None:
    options = _parse()
    import torch

    torch.set_num_threads(options.threads)
    torch.set_num_interop_threads(1)
    from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

    predictor = _predictor(options.mirroring)
    image, properties = SimpleITKIO().read_images([str(options.folder / "scan.nrrd")])
    count, some = image.shape[1], options.slices
    if some:
        first = (count - some) // 2
        image = image[:, first : first + some]
        predictor.predict_single_npy_array(image[:, :1], dict(properties))  # the first is slower: not multiplied
    times = count / image.shape[1]
    wall, processor = time.perf_counter(), time.process_time()
    predictor.predict_single_npy_array(image, properties)
    outcome = {
        "wall_seconds": (time.perf_counter() - wall) * times,
        "processor_seconds": (time.process_time() - processor) * times,
        "slices": count,
    }
    print(json.dumps(outcome if some else outcome | {"peak_megabytes": _peak_megabytes()}))


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="that holds scan.nrrd")
    parser.add_argument("--threads", type=int, default=2, help="of torch (%(default)s)")
    parser.add_argument("--mirroring", action="store_true", help="average over the mirrored slices too")
    parser.add_argument("--slices", type=int, metavar="N", help="time so many in the middle, and extrapolate")
    return parser.parse_args()


def _predictor(mirroring: bool) -> object:
    """nnU-Net's own predictor with an untrained network, as its trainer would set it up."""
    import torch
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    plans = PlansManager(_plans())
    configuration = plans.get_configuration("2d")
    network = get_network_from_plans(
        configuration.network_arch_class_name,
        configuration.network_arch_init_kwargs,
        configuration.network_arch_init_kwargs_req_import,
        1,
        len(DATASET["labels"]),
        deep_supervision=False,
    )
    predictor = nnUNetPredictor(
        tile_step_size=0.5,
        use_gaussian=True,
        use_mirroring=mirroring,
        perform_everything_on_device=False,
        device=torch.device("cpu"),
        allow_tqdm=False,
    )
    axes = (0, 1) if mirroring else None
    weights = [network.state_dict()]
    predictor.manual_initialization(network, plans, configuration, weights, DATASET, "nnUNetTrainer", axes)
    return predictor


def _plans() -> dict:
    stages = len(FEATURES)
    resampling = {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None}
    of_labels, of_probabilities = resampling | {"is_seg": True, "order": 1}, resampling | {"order": 1}
    intensities = dict.fromkeys(("max", "mean", "median", "percentile_99_5", "std"), 1.0)
    intensities |= {"min": 0.0, "percentile_00_5": 0.0}
    return {
        "dataset_name": "Dataset000_Benchmark",
        "plans_name": "nnUNetPlans",
        "original_median_spacing_after_transp": [SPACING_MM] * 3,
        "original_median_shape_after_transp": [240, 512, 512],
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "experiment_planner_used": "ExperimentPlanner",
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {"0": intensities},
        "configurations": {
            "2d": {
                "data_identifier": "nnUNetPlans_2d",
                "preprocessor_name": "DefaultPreprocessor",
                "batch_size": 12,
                "patch_size": PATCH,
                "median_image_size_in_voxels": [358.0, 358.0],
                "spacing": [SPACING_MM, SPACING_MM],
                "normalization_schemes": ["ZScoreNormalization"],
                "use_mask_for_norm": [False],
                "resampling_fn_data": "resample_data_or_seg_to_shape",
                "resampling_fn_seg": "resample_data_or_seg_to_shape",
                "resampling_fn_probabilities": "resample_data_or_seg_to_shape",
                "resampling_fn_data_kwargs": resampling,
                "resampling_fn_seg_kwargs": of_labels,
                "resampling_fn_probabilities_kwargs": of_probabilities,
                "architecture": {
                    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
                    "arch_kwargs": {
                        "n_stages": stages,
                        "features_per_stage": FEATURES,
                        "conv_op": "torch.nn.modules.conv.Conv2d",
                        "kernel_sizes": [[3, 3]] * stages,
                        "strides": [[1, 1]] + [[2, 2]] * (stages - 1),
                        "n_conv_per_stage": [2] * stages,
                        "n_conv_per_stage_decoder": [2] * (stages - 1),
                        "conv_bias": True,
                        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
                        "norm_op_kwargs": {"eps": 1e-05, "affine": True},
                        "dropout_op": None,
                        "dropout_op_kwargs": None,
                        "nonlin": "torch.nn.LeakyReLU",
                        "nonlin_kwargs": {"inplace": True},
                    },
                    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
                },
                "batch_dice": True,
            }
        },
    }


def _peak_megabytes() -> float:
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak / 1e3


if __name__ == "__main__":
    main()
