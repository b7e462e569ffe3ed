"""The end of `--help`: examples, and the presets that a command takes."""

import argparse
import textwrap

from ..config.presets import preset_names

EXAMPLES = {
    "phantom": (
        "segtraining phantom DATA/Dataset900_Phantom --count 12 --seed 1",
        "segtraining phantom DATA/Dataset920_Radiograph --kind radiograph --count 150",
    ),
    "prepare": ("segtraining prepare vertebral-bodies-sagittal --data DATA --processes 4",),
    "inspect": ("segtraining inspect mine.yaml --data DATA -o inspection.png",),
    "show-augmentations": ("segtraining show-augmentations mine.yaml --data DATA",),
    "train": (
        "segtraining train mine.yaml --data DATA -o runs/mine",
        "segtraining train mine.yaml --data DATA -o runs/mine --resume",
        "segtraining train vertebral-bodies-sagittal --data DATA --set training.max_minutes=30",
    ),
    "evaluate": (
        "segtraining evaluate --run runs/mine --data DATA",
        "segtraining evaluate --model vertebral-bodies-mr --dataset DATA/Dataset001_Mine --bodies -o scores",
    ),
    "predict": ("segtraining predict --run runs/mine scan.nii.gz -o predictions",),
    "experiment": (
        "segtraining experiment small/xray-segnet --data DATA",
        'segtraining experiment thesis-grid --data DATA --only "*-sagittal"',
        "segtraining experiment thesis-grid --list",
    ),
    "report": ("segtraining report runs/mine runs/other -o report.html",),
    "levels": ("segtraining levels --data DATA -o models/vertebral-levels-mr",),
    "package": ("segtraining package runs/mine -o models/mine --zip mine.zip",),
}
_BEGIN = ("phantom", "inspect", "train", "evaluate", "package", "experiment")
"""Of whose examples the first stands in the help of the program itself."""
_PRESETS_OF = {"prepare": "train", "inspect": "train", "show-augmentations": "train"}
"""Commands that take the presets of another."""


def add_examples(parser: argparse.ArgumentParser, commands: dict[str, argparse.ArgumentParser]) -> None:
    """Give the program, and each of its `commands`, an end to its help."""
    first = [EXAMPLES[name][0] for name in _BEGIN]
    _end(parser, first, {kind: preset_names(kind) for kind in ("train", "experiment", "levels")})
    for name, command in commands.items():
        kind = _PRESETS_OF.get(name, name)
        _end(command, EXAMPLES.get(name, ()), {name: preset_names(kind)})


def _end(
    parser: argparse.ArgumentParser, examples: "tuple[str, ...] | list[str]", presets: dict[str, list[str]]
) -> None:
    parts = ["\n".join(["examples:", *(f"  {example}" for example in examples)])] if examples else []
    for command, names in presets.items():
        if names:
            lines = textwrap.wrap(
                ", ".join(names), 100, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False
            )
            parts.append("\n".join([f"presets of {command}:", *lines]))
    parser.epilog = "\n\n".join(parts)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
