"""Results of nnU-Net become packages that compute the same, or are refused in a sentence."""

import os

import numpy as np
import pytest
import SimpleITK as sitk
import torch
from nnunet_folders import KERNELS, PLAIN, RESIDUAL, STRIDES, checkpoint, dataset, plans, random_network, write_json
from nnunet_folders import write_results as written
from scipy import ndimage, special

from SegTraining.cli import main
from SegTraining.importing.checkpoints import read_checkpoint
from SegTraining.importing.nnunet import import_nnunet
from SegTraining.importing.nnunet_plans import network_of
from SegTraining.importing.nnunet_results import read_results
from SegTraining.importing.nnunet_weights import renamed
from SpineInference import networks
from SpineInference.engines.onnx_engine import OnnxEngine
from SpineInference.errors import SpineError
from SpineInference.models.catalog import open_set
from SpineInference.models.model_package import ModelPackage
from SpineInference.options import SegmentationOptions
from SpineInference.pipeline import segment

TOLERANCE = 5e-3
"""Of probabilities: packages store kernels in half precision."""


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).normal(size=shape).astype(np.float32)


@pytest.mark.parametrize("arguments", [PLAIN, RESIDUAL], ids=["plain", "residual"])
def test_a_fold_becomes_a_package(arguments, tmp_path):
    results = written(tmp_path / "results", arguments)
    (package,) = import_nnunet(read_results(results), tmp_path / "p", orientation="LPS")
    manifest, images = package.manifest, noise(2, 1, 48, 32)
    with torch.inference_mode():
        expected = torch.softmax(random_network(arguments)(torch.from_numpy(images)), 1).numpy()
    assert expected.std() > 0.05
    np.testing.assert_allclose(OnnxEngine(package, threads=1).probabilities(images), expected, atol=TOLERANCE)
    assert (manifest.plane, manifest.input.orientation, manifest.input.canvas) == ("sagittal", "PSL", (48, 32))
    assert (manifest.labels[0].name, manifest.labels[0].value, manifest.modality) == ("disc", 1, "T2")
    assert manifest.training.details["nnunet"] == {"trainer": "nnUNetTrainer", "fold": "0", "epochs": 5}


def test_mirroring_is_part_of_the_network(tmp_path):
    (package,) = import_nnunet(read_results(written(tmp_path / "results")), tmp_path / "p", "LPS", mirroring=True)
    images, network = noise(1, 1, 48, 32), random_network(PLAIN)
    with torch.inference_mode():
        logits = [network(torch.from_numpy(np.flip(images, axes).copy())).flip(axes) for axes in ([], [2], [3], [2, 3])]
    expected = torch.softmax(torch.stack(logits).mean(0), 1).numpy()
    np.testing.assert_allclose(OnnxEngine(package, threads=1).probabilities(images), expected, atol=TOLERANCE)


def test_folds_are_a_set_that_segments(tmp_path, capsys):
    results = written(tmp_path / "results", folds=3)
    scan = sitk.GetImageFromArray(noise(40, 40, 3) * 50 + 200)
    sitk.WriteImage(scan, tmp_path / "scan.nii.gz")
    command = ["import-nnunet", str(results), "-o", str(tmp_path / "set"), "--image", str(tmp_path / "scan.nii.gz")]
    assert main([*command, "--folds", "0", "2"]) == 0
    assert '"disc" is nobody can know' in capsys.readouterr().out
    models = open_set(tmp_path / "set")
    assert [package.manifest.name[-6:] for package in models.packages] == ["fold-0", "fold-2"]
    result = segment(scan, models, SegmentationOptions(device="cpu", threads=1))
    means = []
    values = sitk.GetArrayFromImage(scan)
    values = (values - values.mean()) / values.std()
    slices = np.moveaxis(values, 2, 0)[:, None]
    padded = torch.from_numpy(np.pad(slices, ((0, 0), (0, 0), (4, 4), (0, 0))))
    for seed in (0, 2):
        network = random_network(PLAIN, seed=seed)
        with torch.inference_mode():  # two canvases beside each other, of which the middle ones count more
            tiles = [network(padded[..., left : left + 32])[:, :, 4:-4] for left in (0, 8)]
        weight = np.exp(-0.5 * ((np.arange(32) - 16) / 4) ** 2)
        total, count = np.zeros((3, 2, 40, 40)), np.zeros(40)
        for left, tile in zip((0, 8), tiles, strict=True):
            total[..., left : left + 32] += tile.numpy() * weight
            count[left : left + 32] += weight
        means.append(special.softmax(total / count, axis=1)[:, 1])
    expected = np.moveaxis(np.mean(means, axis=0) >= 0.5, 0, 2)
    agreement = ((sitk.GetArrayFromImage(result.labels) == 1) == expected).mean()
    assert 0.05 < expected.mean() < 0.95 and agreement > 0.995


def test_codes_and_colours_of_labels_are_told(tmp_path):
    info = {"title": "Discs", "labels": [{"name": "disc", "code": "360499006", "meaning": "Intervertebral disc"}]}
    (package,) = import_nnunet(read_results(written(tmp_path / "results")), tmp_path / "p", "LPS", info=info)
    assert (package.manifest.title, package.manifest.labels[0].code) == ("Discs", "360499006")
    info["labels"][0]["name"] = "disk"
    with pytest.raises(SpineError, match='no label "disk": perhaps disc'):
        import_nnunet(read_results(tmp_path / "results"), tmp_path / "q", "LPS", info=info)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, {"rule": "zscore"}),
        ({"use_mask_for_norm": [True]}, {"rule": "zscore_nonzero"}),
        (
            {"normalization_schemes": ["CTNormalization"]},
            {"rule": "fixed", "low": 10.0, "high": 200.0, "mean": 90.0, "std": 25.0},
        ),
        ({"normalization_schemes": ["RescaleTo01Normalization"]}, {"rule": "minmax"}),
        ({"normalization_schemes": ["NoNormalization"]}, {"rule": "fixed", "mean": 0.0, "std": 1.0}),
    ],
)
def test_normalisations(changes, expected, tmp_path):
    results = written(tmp_path / "results", **changes)
    (package,) = import_nnunet(read_results(results), tmp_path / "p", "LPS")
    rule = package.manifest.input.intensity
    assert {name: getattr(rule, name) for name in expected} == expected


def test_plans_of_older_versions(tmp_path):
    older = {
        "UNet_class_name": "PlainConvUNet",
        "UNet_base_num_features": 4,
        "unet_max_num_features": 10,
        "n_conv_per_stage_encoder": [2, 2, 2],
        "n_conv_per_stage_decoder": [2, 2],
        "conv_kernel_sizes": KERNELS,
        "pool_op_kernel_sizes": STRIDES,
    }
    arguments = network_of(older)
    assert (arguments["filters"], arguments["blocks"], arguments["strides"]) == ([4, 8, 10], [2, 2, 2], STRIDES)


# ---- what is refused


def refusal(results, tmp_path, orientation: str | None = "LPS", **options) -> str:
    with pytest.raises(SpineError) as caught:
        import_nnunet(read_results(results, **options), tmp_path / "refused", orientation)
    assert not (tmp_path / "refused").exists()
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"patch_size": [16, 48, 32]}, "3D one"),
        ({"spacing": [1.0, 0.5]}, "1 x 0.5 mm"),
        ({"preprocessor_name": "OurPreprocessor"}, "OurPreprocessor"),
        ({"normalization_schemes": ["OurNormalization"]}, "OurNormalization"),
        ({"normalization_schemes": None}, "not understood"),
        ({"architecture": {"network_class_name": "our.UMamba", "arch_kwargs": {"n_stages": 3}}}, "the network UMamba"),
        ({"architecture": {"network_class_name": "PlainConvUNet", "arch_kwargs": {}}}, "the convolution None"),
    ],
)
def test_configurations_that_no_package_represents(changes, sentence, tmp_path):
    assert sentence in refusal(written(tmp_path / "results", **changes), tmp_path)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"channel_names": {"0": "T1", "1": "T2"}}, "2 channels at once (T1, T2)"),
        ({"labels": {"background": 0, "whole": [1, 2], "core": 2}}, "regions"),
        ({"labels": {"background": 0, "disc": 3}}, "not numbered from 1"),
    ],
)
def test_data_sets_that_no_package_represents(changes, sentence, tmp_path):
    results = written(tmp_path / "results")
    write_json(results / "dataset.json", dataset(**changes))
    assert sentence in refusal(results, tmp_path)


def test_folders_that_are_none_or_lack_a_fold(tmp_path):
    assert "no plans.json" in refusal(tmp_path, tmp_path)
    results = written(tmp_path / "results", folds=2)
    assert "of fold 4: there are those of 0, 1" in refusal(results, tmp_path, folds=("0", "4"))
    assert "training has not ended" in refusal(results, tmp_path, checkpoint="checkpoint_best.pth")
    assert "give --image" in refusal(results, tmp_path, orientation=None)
    assert '"LLL" is no orientation' in refusal(results, tmp_path, orientation="LLL")


def test_weights_of_another_network(tmp_path):
    results = written(tmp_path / "results")
    write_json(results / "plans.json", plans(PLAIN | {"filters": [4, 8, 16]}))
    assert "down.2.0.conv.weight" in refusal(results, tmp_path)


class RunsCode:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("place", ["logging", "init_args", "network_weights"])
def test_a_checkpoint_that_would_run_code(place, tmp_path):
    results = written(tmp_path / "results")
    content = checkpoint(random_network(PLAIN).state_dict())
    content[place] = {**content[place], "x": RunsCode(tmp_path / "proof")}
    torch.save(content, results / "fold_0" / "checkpoint_final.pth")
    assert "could run code: it is not opened" in refusal(results, tmp_path)
    assert not (tmp_path / "proof").exists()


def test_a_network_that_was_trained_without_mirroring(tmp_path):
    results = written(tmp_path / "results")
    weights = random_network(PLAIN).state_dict()
    torch.save(checkpoint(weights, inference_allowed_mirroring_axes=None), results / "fold_0" / "checkpoint_final.pth")
    with pytest.raises(SpineError, match="leave out --mirroring"):
        import_nnunet(read_results(results), tmp_path / "p", "LPS", mirroring=True)


@pytest.mark.parametrize("content", [b"", b"no checkpoint", b"PK\x03\x04 damaged"])
def test_files_that_are_no_checkpoints(content, tmp_path):
    (tmp_path / "weights.pth").write_bytes(content)
    with pytest.raises(SpineError, match=r"weights\.pth"):
        read_checkpoint(tmp_path / "weights.pth")


def test_nothing_stays_allowed_afterwards(tmp_path):
    before = set(torch.serialization.get_safe_globals())
    torch.save({"x": np.float32(1.5)}, tmp_path / "x.pth")
    assert read_checkpoint(tmp_path / "x.pth") == {"x": 1.5}
    assert set(torch.serialization.get_safe_globals()) == before


def test_packages_hold_each_weight_once(tmp_path):
    (package,) = import_nnunet(read_results(written(tmp_path / "results")), tmp_path / "p", "LPS")
    parameters = sum(tensor.numel() for tensor in random_network(PLAIN).state_dict().values())
    assert len(ModelPackage.open(package.path).read("model.onnx")) < 4 * parameters + 60_000


# ---- against nnU-Net's own software, where it is installed


@pytest.mark.nnunet
@pytest.mark.parametrize("arguments", [PLAIN, RESIDUAL], ids=["plain", "residual"])
def test_the_network_is_that_of_nnunet(arguments):
    unet = pytest.importorskip("dynamic_network_architectures.architectures.unet")
    architecture = plans(arguments)["configurations"]["2d"]["architecture"]
    torch.manual_seed(0)
    words = architecture["arch_kwargs"] | {
        "conv_op": torch.nn.Conv2d,
        "norm_op": torch.nn.InstanceNorm2d,
        "nonlin": torch.nn.LeakyReLU,
    }
    kind = getattr(unet, architecture["network_class_name"].rpartition(".")[2])
    theirs = kind(input_channels=1, num_classes=3, deep_supervision=False, **words).eval()
    ours = networks.build("nnunet", 1, 3, **network_of({"architecture": architecture})).eval()
    ours.load_state_dict(renamed(theirs.state_dict(), levels=3))
    images = torch.randn(2, 1, 48, 32)
    with torch.inference_mode():
        torch.testing.assert_close(ours(images), theirs(images))


@pytest.mark.nnunet
@pytest.mark.parametrize("mirroring", [False, True], ids=["plain", "mirroring"])
def test_predictions_are_those_of_nnunet(mirroring, tmp_path):
    """Of two folds, in slices that are larger than a patch in one direction and smaller in the other."""
    inference = pytest.importorskip("nnunetv2.inference.predict_from_raw_data")
    results = written(tmp_path / "results", folds=2)
    predictor = inference.nnUNetPredictor(
        use_mirroring=mirroring, perform_everything_on_device=False, device=torch.device("cpu"), allow_tqdm=False
    )
    predictor.initialize_from_trained_model_folder(str(results), ("0", "1"), "checkpoint_final.pth")
    values = ndimage.gaussian_filter(noise(40, 70, 5), 1) * 300 + 500
    theirs = predictor.predict_single_npy_array(values[None], {"spacing": [1.0, 1.0, 4.0]}, None, None, False)
    scan = sitk.GetImageFromArray(values.astype(np.float32))
    scan.SetSpacing((4.0, 1.0, 1.0))
    import_nnunet(read_results(results), tmp_path / "set", "LPS", mirroring)
    ours = segment(scan, open_set(tmp_path / "set"), SegmentationOptions(device="cpu", threads=1))
    ours = sitk.GetArrayFromImage(ours.labels)
    assert 0.05 < theirs.mean() < 0.95
    assert (ours == theirs).mean() > 0.99
