"""`segtraining finetune`: a set of models goes on learning from corrected cases."""

import argparse
import re
from pathlib import Path

from SpineInference.errors import SpineError

from .arguments import changes_of

PLANES = ("sagittal", "coronal", "axial")


def add_to(subparsers: argparse._SubParsersAction) -> None:
    command = subparsers.add_parser(
        "finetune",
        help="let a set of models learn from corrected cases, and measure the gain",
        epilog="Example: segtraining finetune --from vertebral-bodies-mr --data corrected --minutes 20",
    )
    command.add_argument(
        "--from", dest="start", required=True, metavar="MODEL", help="set, or folder or zip of packages"
    )
    command.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="the cases: a folder that the Slicer module has saved, or another in nnU-Net's raw layout",
    )
    command.add_argument("-o", "--output", type=Path, help="folder of the new set (default models/NAME)")
    command.add_argument("--name", help="of the new set (default: those of the model and of the folder)")
    command.add_argument("--planes", metavar="P,P", help="tune these only; the others stay as they are")
    command.add_argument("--minutes", type=float, help="of training, all planes together")
    command.add_argument("--epochs", type=int, help="of 25 steps for each plane (default 12, or as many as fit)")
    command.add_argument(
        "--held-out",
        nargs="+",
        default=[],
        metavar="CASE",
        help="measure on the patients of these (default: a quarter)",
    )
    command.add_argument("--test", type=Path, metavar="FOLDER", help="measure on the cases of this folder too")
    command.add_argument("--patient-pattern", metavar="REGEX", help="its group is the patient in a case's name")
    command.add_argument("--seed", type=int, default=0, help="of what is held out and drawn (default 0)")
    command.add_argument("--threads", type=int, help="processor threads")
    command.add_argument("--work", type=Path, help="folder of runs and scores (default runs/NAME)")
    command.add_argument("--cache", type=Path, default=Path("cache"), help="folder of prepared cases (default cache)")
    command.add_argument("--zip", type=Path, metavar="FILE", help="write the set as one file too")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting of all planes"
    )
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    planes = tuple(options.planes.split(",")) if options.planes else None
    if unknown := set(planes or ()) - set(PLANES):
        raise SpineError(f'"{min(unknown)}" is no plane: use some of {",".join(PLANES)}.')
    for name in ("minutes", "epochs", "threads"):
        if (value := getattr(options, name)) is not None and value <= 0:
            raise SpineError(f"--{name} must be more than 0.")

    from SpineInference.models.model_package import pack

    from ..workflows.finetune import FineTuning, finetune

    stem = re.sub(r"\.zip$", "", Path(options.start).name)
    name = options.name or plain(f"{stem}-{options.data.resolve().name}")
    output = options.output or Path("models") / name
    wish = FineTuning(
        options.start,
        options.data,
        name,
        output,
        options.work or Path("runs") / name,
        options.cache,
        planes,
        tuple(options.held_out),
        options.test,
        options.patient_pattern,
        options.epochs,
        options.minutes,
        options.threads,
        options.seed,
        {"training.seed": options.seed} | changes_of(options),
    )
    try:
        finetune(wish)
    except KeyboardInterrupt:
        raise KeyboardInterrupt("interrupted: the same command goes on where it was.") from None
    print(f"{output}: give it with --model, or import it in the panel")
    if options.zip is not None:
        pack(output, options.zip)
        print(options.zip)


def plain(text: str) -> str:
    """A name of small letters, digits and dashes made of `text`; the number of a data set of nnU-Net is left out."""
    short = re.sub(r"Dataset\d+_", "", text)
    return re.sub(r"[^a-z0-9]+", "-", short.lower()).strip("-") or "model"
