"""Every network of the table learns, well beyond where it starts: from slices of a phantom, and from real ones.

How far it comes is seen in parts of the same scan that it was not shown, and it may stop once that is far enough. When
a deep network without normalisation sets out differs by hundreds of steps between processors: the limits are wide. The
phantom takes two minutes, with some of the largest networks in a small version and others left out.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_training import settings

from SegTraining.config.config import Config
from SegTraining.data.cache import CachedCase
from SegTraining.data.prepare import prepare
from SegTraining.data.sampling import PatchDataset
from SegTraining.data.targets import IGNORE
from SegTraining.synthetic.spine.dataset import write_dataset
from SegTraining.training.module import start_network, training_loss

SLIM = {
    "encoder": "tu-resnet18",
    "encoder_arguments": {"channels": [16, 32, 48, 64], "layers": [1, 1, 1, 1], "stem_type": "deep", "stem_width": 8},
}
REAL, PHANTOM = "Dataset501_Chu", "Dataset900_Phantom"
BATCH, JUDGED_CROPS = 2, 24
GAIN, PATIENCE = 0.1, 8
"""What a network must gain in Dice, and how many times the steps it should take for that it may take at most."""


@dataclass(frozen=True)
class Lesson:
    """What a network is taught with: crops of `side` pixels, `steps` batches of a phantom and `real_steps` real ones.

    It is judged after each so many steps, `PATIENCE` times at most.

    `small` are arguments that make the network smaller for the phantom. Without `steps`, a step of it takes so long
    that nothing can be learnt from a phantom in seconds.
    """

    family: str
    arguments: dict[str, Any] = field(default_factory=dict)
    side: int = 64
    steps: int = 40
    real_steps: int = 100
    rate: float = 2e-3
    small: dict[str, Any] = field(default_factory=dict)


LESSONS = {
    **{f"{family}, slim": Lesson(family, SLIM, steps=60) for family in ("unet", "fpn", "linknet", "pspnet")},
    **{f"{family}, slim": Lesson(family, SLIM, steps=60) for family in ("bifpn", "boundary-unet")},
    **{
        f"{family}, {encoder}": Lesson(family, {"encoder": encoder}, 32, steps=0)
        for family in ("unet", "fpn", "linknet", "pspnet")
        for encoder in ("resnet50", "inceptionv4")
    },
    # Nothing but one pixel is left of a small crop where this one begins to put the picture together again.
    "fpn, resnet50": Lesson("fpn", {"encoder": "resnet50"}, steps=0, rate=5e-4),
    "unet, resnet50": Lesson("unet", {"encoder": "resnet50"}, 32, steps=30),
    **{f"custom-v3-{size}": Lesson(f"custom-v3-{size}") for size in ("large32", "large64", "small32", "small64")},
    "custom-v1": Lesson("custom-v1"),
    "custom-v2": Lesson("custom-v2", side=32, steps=30),
    **{f"fdn{kind}": Lesson(f"fdn{kind}", side=32) for kind in ("5", "11be")},
    # Deep and without normalisation, these find nothing for long when they are taught faster.
    **{
        f"fdn{kind}": Lesson(f"fdn{kind}", side=32, steps=100, real_steps=200, rate=5e-4)
        for kind in ("11", "11e", "13")
    },
    **{f"fdn{kind}": Lesson(f"fdn{kind}", side=32, steps=0, real_steps=200, rate=5e-4) for kind in ("16", "16e")},
    "fdn16be": Lesson("fdn16be", side=32, steps=60, rate=1e-3),
    "dln11": Lesson("dln11", steps=200, real_steps=200, rate=5e-4),
    "urinet": Lesson("urinet", steps=20),
    "segnet": Lesson("segnet", steps=80, rate=1e-3, small={"width": 8}),
    "poster-unet": Lesson("poster-unet", side=32, small={"width": 8}),
    "residual-unet": Lesson("residual-unet", side=32, small={"filters": [8, 16, 24], "blocks": [1, 2, 2]}),
}


def config_for(lesson: Lesson, dataset: str, small: bool) -> Config:
    network = {"family": lesson.family, "arguments": lesson.arguments | (lesson.small if small else {})}
    return Config.model_validate(
        settings(
            network=network,
            data={"datasets": [{"name": dataset, "unlabelled_above": "ignore"}], "split": {"training_cases": 1}},
            # Coarse, so that a small crop shows more than the inside of a body.
            input={"context_slices": 1, "spacing_mm": 2.0, "pad_multiple": min(32, lesson.side)},
            augmentation={"rotation": {"low": -10, "high": 10}},
            training={"crop": [lesson.side, lesson.side], "batch_size": BATCH},
        )
    )


def learn(config: Config, cases: list[CachedCase], steps: int, rate: float) -> tuple[float, float, int]:
    """Train until enough is learnt: the Dice on crops not trained on, before and after, and the steps taken."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    network, samples = start_network(config), PatchDataset(cases, config)
    unseen = batch(samples, range(10**6, 10**6 + JUDGED_CROPS))
    before = dice(network, *unseen)
    optimiser = torch.optim.Adam(network.parameters(), rate)
    for step in range(1, PATIENCE * steps + 1):
        image, target = batch(samples, range(step * BATCH, (step + 1) * BATCH))
        loss = training_loss(network.train(), image, target, config.loss)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if step % steps == 0 and (after := dice(network, *unseen)) > before + GAIN:
            break
    return before, after, step


def batch(samples: PatchDataset, numbers: Iterable[int]) -> tuple[torch.Tensor, torch.Tensor]:
    images, targets = zip(*(samples[number] for number in numbers), strict=True)
    return torch.stack(images), torch.stack(targets)


@torch.inference_mode()
def dice(network: torch.nn.Module, image: torch.Tensor, target: torch.Tensor) -> float:
    found = torch.cat([network.eval()(each) for each in image.split(BATCH)])[:, 0] > 0
    judged, body = target != IGNORE, target == 1
    return float(2 * (found & body).sum() / (found[judged].sum() + body.sum()))


@pytest.fixture(scope="module")
def phantom_folders(tmp_path_factory) -> tuple[Path, Path]:
    """The data folder, of a phantom of half a lumbar spine, and a cache."""
    folder = tmp_path_factory.mktemp("data")
    arguments = {"spacing": (2.0, 2.0, 4.0), "field_of_view": (140.0, 180.0, 64.0), "contrast": "T2", "disease": 0.0}
    write_dataset(folder / PHANTOM, 1, seed=3, **arguments)
    return folder, tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def real_cache(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name, lesson in LESSONS.items() if lesson.steps])
def test_a_network_learns_from_a_phantom(name, phantom_folders):
    lesson = LESSONS[name]
    config = config_for(lesson, PHANTOM, small=True)
    before, after, steps = learn(config, prepare(config, *phantom_folders)["training"], lesson.steps, lesson.rate)
    assert after > before + GAIN, f"Dice {before:.2f} before, {after:.2f} after {steps} steps"


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize("name", LESSONS)
def test_a_network_learns_from_real_slices(name, spine_data, real_cache):
    lesson = LESSONS[name]
    config = config_for(lesson, REAL, small=False)
    cases, started = prepare(config, spine_data, real_cache)["training"], time.process_time()
    before, after, steps = learn(config, cases, lesson.real_steps, lesson.rate)
    seconds = time.process_time() - started
    print(f"| {name} | {lesson.side} | {before:.3f} | {after:.3f} | {steps} | {seconds:.0f} |")
    assert after > before + GAIN, f"Dice {before:.2f} before, {after:.2f} after {steps} steps"
