"""Training that starts from a packaged model."""

import pytest
import torch
from tiny_training import config

from SegTraining.export.package import package
from SegTraining.reporting.runs import read_runs
from SegTraining.reporting.thesis_tables import run_table
from SegTraining.training.module import SegmentationModule, start_network
from SegTraining.training.train import train
from SpineInference.errors import SpineError
from SpineInference.models.model_package import ModelPackage
from SpineInference.models.weights import read_weights


@pytest.fixture(scope="module")
def start(whole_run, tmp_path_factory) -> ModelPackage:
    """A packaged model to start from."""
    return package(whole_run, tmp_path_factory.mktemp("models") / "package")


def stored(model: ModelPackage) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in read_weights(model).items()}


def equal(network: dict[str, torch.Tensor], model: ModelPackage, prefix: str) -> list[bool]:
    """For each tensor of the package whose name begins with `prefix`: whether the network has the same."""
    return [torch.equal(network[n], t.to(network[n].dtype)) for n, t in stored(model).items() if n.startswith(prefix)]


def test_a_run_starts_from_the_weights_of_the_package(start):
    tuned = config(fine_tuning={"package": str(start.path)})
    run = SegmentationModule(tuned, start_network(tuned), [])
    assert all(equal(run.network.state_dict(), start, ""))
    assert all(equal(run.average.network.state_dict(), start, ""))


@pytest.mark.parametrize("frozen", [True, False])
def test_frozen_encoder_keeps_weights_and_statistics(start, folders, tmp_path, frozen):
    tuning = {"package": str(start.path), "freeze_encoder": frozen}
    folder = train(config(fine_tuning=tuning), *folders, tmp_path / "run")
    state = torch.load(folder / "last.ckpt", weights_only=True)["state_dict"]
    network = {name.removeprefix("network."): tensor for name, tensor in state.items()}
    assert all(equal(network, start, "encoder")) == frozen
    assert not all(equal(network, start, "decoder"))


def test_a_fine_tuned_run_tells_what_it_started_from(start, folders, tmp_path):
    run = train(config(fine_tuning={"package": str(start.path)}), *folders, tmp_path / "run")
    manifest = package(run, tmp_path / "tuned").manifest
    told = manifest.training.details["fine_tuning"]
    assert (told["model"], told["sha256"]) == ("tiny", start.manifest.files["model.onnx"])
    assert str(start.path.parent) not in (tmp_path / "tuned" / "manifest.json").read_text("utf-8")
    card = (tmp_path / "tuned" / "README.md").read_text("utf-8")
    assert "Fine-tuned: the training started from the model tiny" in card
    [record] = read_runs([run])
    assert record.start == "fine-tuned from tiny" and run_table([record]).rows[0][2] == record.start


def test_a_package_with_another_network_is_refused(start):
    with pytest.raises(SpineError, match=r"another network.*encoder"):
        start_network(config(fine_tuning={"package": str(start.path)}, input={"context_slices": 2}))


def test_missing_package_is_refused_before_writing(folders, tmp_path):
    with pytest.raises(SpineError, match="nowhere"):
        train(config(fine_tuning={"package": str(tmp_path / "nowhere")}), *folders, tmp_path / "run")
