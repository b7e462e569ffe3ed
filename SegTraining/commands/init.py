"""`segtraining init`: configurations derived from a folder of scans and masks."""

import argparse
from pathlib import Path

from SpineInference.errors import SpineError

from .finetune import PLANES, plain


def add_to(subparsers: argparse._SubParsersAction) -> None:
    command = subparsers.add_parser(
        "init",
        help="look at scans and masks, and write a commented configuration for each useful plane",
        epilog="Example: segtraining init data/Dataset900_Phantom",
    )
    command.add_argument("folder", type=Path, metavar="DATA", help="folder of scans and masks: imagesTr/labelsTr, ...")
    command.add_argument("-o", "--output", type=Path, default=Path(), help="folder of the files (default: here)")
    command.add_argument("--name", help="of the configurations (default: that of the folder)")
    command.add_argument("--planes", metavar="P,P", help="write these, whatever the scans show")
    command.add_argument("--patient-pattern", metavar="REGEX", help="its group is the patient in a case's name")
    command.add_argument(
        "--memory", type=float, metavar="GB", help="of the computer or GPU to train on (default: free)"
    )
    command.add_argument("--seed", type=int, default=0, help="of split and training (default 0)")
    command.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    planes = tuple(options.planes.split(",")) if options.planes else None
    if unknown := set(planes or ()) - set(PLANES):
        raise SpineError(f'"{min(unknown)}" is no plane: use some of {",".join(PLANES)}.')

    from SpineInference.files.atomic import atomic

    from ..data.datasets import find_cases
    from ..planning.folders import understand
    from ..planning.plan import config_of, plan
    from ..planning.rules import free_memory
    from ..planning.survey import survey
    from ..planning.written import as_yaml

    source = options.folder.resolve()
    name = options.name or plain(source.name)
    folder = understand(source, options.patient_pattern)
    cases = find_cases(folder.dataset, source.parent)
    for path in (options.output / f"{name}-{plane}.yaml" for plane in PLANES):
        if path.exists():
            raise SpineError(f'"{path}" is there already: remove it, or choose another --output or --name.')
    found = survey(cases, folder.labels)
    memory = free_memory() if options.memory is None else options.memory * 1e9
    plans, left_out = plan(name, folder, found, memory, options.seed, planes)
    heading = (
        f"Written by segtraining init from {len(found.cases)} cases of {found.patients} patients in {source.name}. "
        "Every value is yours to change; docs/reference/configuration.md has all settings."
    )
    options.output.mkdir(parents=True, exist_ok=True)
    for plane, settings in plans.items():
        path = options.output / f"{name}-{plane}.yaml"
        config_of(settings, path)
        with atomic(path) as aside:
            aside.write_text(as_yaml(settings, heading), "utf-8")
        print(path)
    for plane, why in left_out.items():
        print(f"No {plane} network: {why}.")
    print(
        f"Next: segtraining train {options.output / f'{name}-{next(iter(plans))}.yaml'} --data {options.folder.parent}"
    )
