"""Trains the network that recognises levels, and makes its package: forty minutes on one thread of a CPU."""

import datetime
import logging
import time
from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from SpineInference import networks
from SpineInference.anatomy import LEVELS
from SpineInference.engines.onnx_engine import OnnxEngine
from SpineInference.errors import SpineError
from SpineInference.models.manifest import LEVELS_TASK, Manifest
from SpineInference.models.model_package import ModelPackage
from SpineInference.spine.level_recognition import propose_levels

from ..config.levels import LevelConfig, LevelTraining
from ..data.datasets import split_cases
from ..export.onnx_export import export_package
from .augmentation import augment_patches
from .patches import C2, L5, NO_VERTEBRA, S1, LevelScan, draw_patches, phantom_scan, read_scan

_log = logging.getLogger(__name__)

FAMILY = "patch-classifier"
CLASSES = len(LEVELS) + 1
"""No vertebra, then the levels by their label values."""
_ANCHORS = (NO_VERTEBRA, C2, L5, S1)
_LEVEL_WEIGHTS = {NO_VERTEBRA: 2.0, **dict.fromkeys((L5 - 1, L5, S1), 3.0)}
"""How much more often than others the levels are drawn that decide where the sacrum begins."""
_NEIGHBOUR_SHARE, _UNIFORM_SHARE = 0.3, 0.02
"""How much a body may as well be the one above or below, and any other."""


def train_levels(config: LevelConfig, data_folder: Path, output: Path) -> ModelPackage:
    """Train on the data sets of `config` below `data_folder` and on phantoms; write the package to `output`.

    Its metrics are those of `measure_levels` on the cases for validation and test, and on phantoms of their own.

    The same configuration and data give the same weights on the same computer. Raises SpineError as `read_scan` does.
    """
    started = time.perf_counter()
    parts = split_cases(config.data, data_folder)
    seeds = range(config.phantoms.seed, config.phantoms.seed + config.phantoms.training + config.phantoms.validation)
    spec, rng = config.training, np.random.default_rng(config.training.seed)
    # One scan after the other: thousands of them would not fit into the memory of a laptop.
    people = (read_scan(case, config) for case in parts["training"])
    phantoms = (phantom_scan(seed, config) for seed in seeds[: config.phantoms.training])
    drawn = [draw_patches(scan, config.input, spec.copies, rng) for scan in people]
    made = [draw_patches(scan, config.input, spec.phantom_copies, rng) for scan in phantoms]
    _log.info(f"{len(drawn)} scans and {len(made)} phantoms read, {time.perf_counter() - started:.0f} s")
    patches = torch.from_numpy(np.concatenate([patches for patches, _ in drawn + made]))
    values = torch.from_numpy(np.concatenate([values for _, values in drawn + made]))
    from_phantom = torch.arange(len(values)) >= sum(len(values) for _, values in drawn)
    network = fit(patches, values, from_phantom, spec)
    minutes = (time.perf_counter() - started) / 60
    fields = _fields(config, {part: [case.name for case in cases] for part, cases in parts.items()}, minutes)
    made = export_package(network, fields, output, card=_card)

    others = {part: (read_scan(case, config) for case in parts[part]) for part in ("validation", "test")}
    others["phantoms"] = (phantom_scan(seed, config) for seed in seeds[config.phantoms.training :])
    metrics = {part: measure_levels(made, scans) for part, scans in others.items()}
    return export_package(network, fields | {"metrics": metrics}, output, card=_card)


def fit(
    patches: torch.Tensor, values: torch.Tensor, from_phantom: torch.Tensor, spec: LevelTraining
) -> torch.nn.Module:
    """The network, trained on patches [n, 3, rows, cols] of bodies with label `values` [n].

    Raises SpineError where the loss becomes no number.
    """
    torch.manual_seed(spec.seed)
    torch.set_num_threads(spec.threads)
    generator = torch.Generator().manual_seed(spec.seed)
    network = networks.build(FAMILY, patches.shape[1], CLASSES)
    optimiser = torch.optim.AdamW(network.parameters(), spec.learning_rate, weight_decay=spec.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, spec.learning_rate, spec.batches, pct_start=0.1)
    weights, answers = _weights(values, from_phantom, spec.phantom_share), targets()
    for _ in range(spec.batches):
        drawn = torch.multinomial(weights, spec.batch_size, replacement=True, generator=generator)
        logits = network(augment_patches(patches[drawn].float(), generator))[:, :, 0, 0]
        loss = functional.cross_entropy(logits, answers[values[drawn]])
        if not loss.isfinite():
            raise SpineError("The training has diverged: the loss is no number any more; lower training.learning_rate.")
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return network.eval()


def targets() -> torch.Tensor:
    """What the network shall answer for a body of each label value: probabilities [CLASSES, CLASSES].

    Neighbouring vertebrae look alike but for the anchors: a network that has learned a few people's by heart must not
    be surer than that on others.
    """
    table = torch.full((CLASSES, CLASSES), _UNIFORM_SHARE / CLASSES)
    for value in range(CLASSES):
        alike = [] if value in _ANCHORS else [n for n in (value - 1, value + 1) if n not in _ANCHORS]
        table[value, value] += 1 - _UNIFORM_SHARE - _NEIGHBOUR_SHARE * len(alike) / 2
        table[value, alike] += _NEIGHBOUR_SHARE / 2
    return table


def _weights(values: torch.Tensor, from_phantom: torch.Tensor, phantom_share: float) -> torch.Tensor:
    """How often each patch is drawn: `_LEVEL_WEIGHTS`, and `phantom_share` where scans and phantoms show its level."""
    weights = torch.zeros(len(values))
    for value in values.unique():
        sources = {True: (values == value) & from_phantom, False: (values == value) & ~from_phantom}
        for phantom, source in sources.items():
            share = phantom_share if phantom else 1 - phantom_share
            share = share if all(source.any() for source in sources.values()) else 1.0
            weights[source] = share * _LEVEL_WEIGHTS.get(int(value), 1.0) / source.sum().clamp_min(1)
    return weights


def measure_levels(package: ModelPackage, scans: Iterable[LevelScan]) -> dict[str, Any]:
    """How many of `scans` are proposed levels when all bodies (but none of the sacrum) are found, and how many rightly.

    A proposal is right when it names the topmost body rightly, and with it all others.
    """
    engine = OnnxEngine(package, threads=1)
    count = proposed = right = 0
    for scan in scans:
        bodies = [(value, centre) for value, centre in sorted(scan.centres.items()) if NO_VERTEBRA < value < S1]
        centres = [centre for _, centre in bodies]
        proposal = propose_levels(scan.volume, scan.spacing, centres, package.manifest, engine)
        count += 1
        if proposal is not None:
            proposed += 1
            right += LEVELS[proposal.top_level].label == bodies[0][0]
    return {"scans": count, "proposed": proposed, "right": right}


def _fields(config: LevelConfig, cases: dict[str, list[str]], minutes: float) -> dict[str, Any]:
    return {
        "name": config.name,
        "title": config.title,
        "description": config.description,
        "task": LEVELS_TASK,
        "anatomy": config.anatomy,
        "modality": config.modality,
        "plane": "sagittal",
        "labels": [
            {"value": level.label, **{name: getattr(level, name) for name in ("name", "colour", "code", "meaning")}}
            for level in LEVELS.values()
        ],
        "input": asdict(config.input),
        "network": {"family": FAMILY, "arguments": {}},
        "output": {"activation": "softmax"},
        "training": {
            "data": config.data_statement,
            "recipe": f"configuration {config.name} of SegTraining",
            "date": datetime.date.today().isoformat(),
            "seed": config.training.seed,
            "details": {f"{part}_cases": names for part, names in cases.items()}
            | {"phantoms": config.phantoms.model_dump(), "minutes": round(minutes, 1)},
        },
        "licence": config.licence,
    }


def _card(manifest: Manifest) -> str:
    parts = [f"# {manifest.title}", manifest.description, manifest.training.data, f"Licence: {manifest.licence}"]
    if manifest.metrics:
        head = ["| scans | number | levels proposed | rightly |", "|---|---|---|---|"]
        rows = [f"| {name} | {m['scans']} | {m['proposed']} | {m['right']} |" for name, m in manifest.metrics.items()]
        parts.insert(2, "\n".join(head + rows))
    return "\n\n".join(parts) + "\n"
