"""What the commands of `segtraining` do, each with the arguments that `cli` has parsed.

What is heavy is imported by the command that needs it.
"""

import argparse
import os
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from SpineInference.errors import SpineError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from SpineInference.models.catalog import ModelSet
    from SpineInference.models.model_package import ModelPackage

    from .config.config import Config
    from .config.data import Label
    from .data.datasets import Case


def _config(options: argparse.Namespace) -> "Config":
    from .config.config import load_config

    return load_config(options.config, _changes(options))


def _changes(options: argparse.Namespace) -> dict[str, Any]:
    """What `--set` says."""
    import yaml

    changes: dict[str, Any] = {}
    for text in options.set:
        key, equals, value = text.partition("=")
        if not equals:
            raise SpineError(f'"--set {text}" is not understood: write KEY=VALUE, e.g. training.max_minutes=60.')
        changes[key] = yaml.safe_load(value)
    return changes


def _data(options: argparse.Namespace) -> Path:
    folder = options.data or os.environ.get("SPINE_DATA")
    if folder is None:
        raise SpineError("It is not known where the data sets are: give --data FOLDER or set SPINE_DATA.")
    return Path(folder)


def run_phantom(options: argparse.Namespace) -> None:
    if options.kind in (variety := {"spine": "plain", "varied-spine": "full", "close-spine": "close"}):
        from .synthetic.spine.dataset import write_dataset
        from .synthetic.spine.phantom import REGIONS

        if options.region not in (None, *REGIONS):
            raise SpineError(f'"{options.region}" is not a region of a spine: use {", ".join(REGIONS)}.')
        region = {"region": options.region} if options.region else {}
        write_dataset(options.output, options.count, options.seed, variety[options.kind], **region)
    elif options.region:
        raise SpineError(f"--region is for spines, not for a {options.kind}: leave it out.")
    else:
        from .synthetic.planar.dataset import write_flat_dataset

        write_flat_dataset(options.output, options.kind, options.count, options.seed)


def run_prepare(options: argparse.Namespace) -> None:
    from .data.prepare import prepare

    parts = prepare(_config(options), _data(options), options.cache, options.processes)
    print(", ".join(f"{len(cases)} cases for {part}" for part, cases in parts.items()))


def run_inspect(options: argparse.Namespace) -> None:
    from .reporting.inspect import inspect

    fatal = [fault for fault in inspect(_config(options), _data(options), options.output) if fault.fatal]
    print(options.output)
    if fatal:
        raise SpineError(f"{len(fatal)} faults stand in the way of training: correct them (see FAULT above).")


def run_show_augmentations(options: argparse.Namespace) -> None:
    from .data.prepare import prepare
    from .reporting.batch_pictures import show_augmentations

    config = _config(options)
    show_augmentations(prepare(config, _data(options), options.cache)["training"], config, options.output)
    print(options.output)


def run_train(options: argparse.Namespace) -> None:
    from .training.run_folder import CONFIG
    from .training.train import train

    folder = options.output or Path("runs") / Path(options.config).stem
    try:
        print(train(_config(options), _data(options), options.cache, folder, options.resume))
    except KeyboardInterrupt:
        begun = (folder / CONFIG).exists()
        advice = f'the same command with --resume goes on with "{folder}"' if begun else "the training had not begun"
        raise KeyboardInterrupt(f"interrupted: {advice}.") from None


def _check_models(options: argparse.Namespace) -> None:
    if bool(options.model) == bool(options.run_folders):
        raise SpineError("It is not said with what models: give --model, or --run and a run folder.")
    if options.run_folders:
        options.config = options.config or str(options.run_folders[0] / "config.yaml")


def _models(options: argparse.Namespace) -> "AbstractContextManager[ModelSet]":
    from SpineInference.models.catalog import open_set

    from .evaluation.evaluate import open_runs

    return open_runs(options.run_folders) if options.run_folders else nullcontext(open_set(options.model))


def run_evaluate(options: argparse.Namespace) -> None:
    from SpineInference.options import DEFAULT_MODEL, SegmentationOptions

    _check_models(options)
    if options.run_folders:
        options.split = options.split or (None if options.datasets else "test")
    if not options.datasets and None in (options.config, options.split):
        raise SpineError("It is not said which cases to evaluate: give --dataset, or a configuration and --split.")
    output = options.output or Path("evaluation")
    if len(options.run_folders) == 1 and options.output is None:
        judged = "-and-".join(Path(name).name for name in options.datasets or ()) or options.split
        output = options.run_folders[0] / "evaluation" / judged
    choices = SegmentationOptions(
        model=options.model or DEFAULT_MODEL,
        planes=tuple(options.planes.split(",")) if options.planes else None,
        device=options.device,
        threads=options.threads,
        restrict_to_spine=not options.whole_volume,
    )

    from .evaluation.evaluate import evaluate, labels_of
    from .reporting.activation_maps import write_activation_maps

    labels = _config(options).model_info.labels if options.config is not None else None
    with _models(options) as models:
        labels = labels or labels_of(models)
        cases = _cases(options, labels)
        evaluate(
            models,
            cases,
            output,
            labels,
            not options.fused_only,
            choices,
            body_by_body=options.bodies,
            tolerant=True,
            keep_results=options.results,
        )
        write_activation_maps(models, cases[0], labels, output)


def run_predict(options: argparse.Namespace) -> None:
    _check_models(options)
    if bool(options.scans) == bool(options.split):
        raise SpineError("It is not said what to look at: give scans, or --split for the cases of a configuration.")

    from SpineInference.options import SegmentationOptions

    from .config.config import load_config
    from .data.datasets import split_cases
    from .evaluation.predict import predict_scans, scans_at, scans_of_cases

    if options.scans:
        scans = scans_at(options.scans, options.output)
    elif options.config is None:
        raise SpineError("It is not said of which configuration the cases are: give --config, or --run.")
    else:
        scans = scans_of_cases(split_cases(load_config(options.config).data, _data(options))[options.split])
    choices = SegmentationOptions(device=options.device, precision=options.precision, threads=options.threads)
    with _models(options) as models:
        predict_scans(models, scans, options.output, options.format, choices)


def run_experiment(options: argparse.Namespace) -> None:
    from .config.experiment import load_experiment
    from .experiments.local_executor import run_locally
    from .experiments.ray_executor import run_in_cluster
    from .experiments.runner import plan, report_experiment, run_experiment

    experiment, changes = load_experiment(options.experiment), _changes(options)
    output = options.output or Path("experiments") / experiment.name
    data = Path() if options.list or options.report else _data(options)
    planned = plan(experiment, output, data, options.cache, changes, options.only)
    if options.list:
        print("\n".join(f"{each.run.name}  {each.state}" for each in planned))
        print(f"{len(planned)} runs into {output}")
    elif options.report:
        report_experiment(planned, output)
    else:
        try:
            run_experiment(planned, output, run_in_cluster(options.cluster) if options.cluster else run_locally)
        except KeyboardInterrupt:
            raise KeyboardInterrupt("interrupted: the same command goes on where it was.") from None


def run_report(options: argparse.Namespace) -> None:
    from .reporting.report import write_report

    for path in write_report(options.run_folders, options.output):
        print(path)


def _cases(options: argparse.Namespace, labels: "tuple[Label, ...]") -> "list[Case]":
    from .data.datasets import find_cases, split_cases
    from .data.raw_folder import describe_raw_folder

    if options.datasets:
        folders = [_dataset_folder(name, options) for name in options.datasets]
        cases = [case for folder in folders for case in find_cases(describe_raw_folder(folder, labels), folder.parent)]
    else:
        cases = split_cases(_config(options).data, _data(options))[options.split]
    if options.cases is None:
        return cases
    chosen = {name for entry in options.cases for name in _names(entry)}
    if unknown := chosen - {case.name for case in cases}:
        raise SpineError(f'The case "{min(unknown)}" is not among those to evaluate: correct --cases.')
    return [case for case in cases if case.name in chosen]


def _dataset_folder(name: str, options: argparse.Namespace) -> Path:
    """The folder itself, or the one of this name below the folder of the data sets."""
    folder = Path(name).absolute()
    return folder if (folder / "imagesTr").is_dir() or "/" in name or os.sep in name else _data(options) / name


def _names(entry: str) -> list[str]:
    """The name of a case, or those in a file."""
    lines = Path(entry).read_text("utf-8").splitlines() if Path(entry).is_file() else [entry]
    return [line.strip() for line in lines if line.strip()]


def run_levels(options: argparse.Namespace) -> None:
    from .config.levels import load_level_config
    from .levels.train import train_levels

    made = train_levels(load_level_config(options.config), _data(options), options.output)
    print(f"{options.output}: {made.size_bytes / 1e6:.2f} MB, {made.manifest.metrics}")


def run_package(options: argparse.Namespace) -> None:
    from SpineInference.models.model_package import MANIFEST, ModelPackage

    if (options.run_folder / MANIFEST).is_file():
        if options.zip is None or options.output or options.evaluation or options.int8:
            raise SpineError(f'"{options.run_folder}" is a finished package: only --zip FILE can be asked for.')
        made = ModelPackage.open(options.run_folder)
    else:
        made = _made_of_run(options)
    if options.zip is not None:
        _publish(made, options.zip)


def _made_of_run(options: argparse.Namespace) -> "ModelPackage":
    from .config.config import load_config
    from .evaluation.manifest_metrics import manifest_metrics
    from .export.package import package

    folder = options.output or Path("models") / options.run_folder.resolve().name
    data = _data(options) if options.int8 else None
    config = load_config(options.run_folder / "config.yaml")
    metrics = manifest_metrics(options.evaluation, config.plane) if options.evaluation else None
    made = package(options.run_folder, folder, metrics)
    if data is not None:
        from .evaluation.quantisation import add_int8

        made = add_int8(made, config, data)
        print(
            "int8: Dice {validation_dice} after {validation_dice_full_precision} in full precision, "
            "{speed_ratio} times as fast with one thread".format(**made.manifest.metrics["int8"])
        )
    print(f"{folder}: {made.size_bytes / 1e6:.1f} MB")
    return made


def _publish(made: "ModelPackage", path: Path) -> None:
    from SpineInference.schema import as_json

    from .export.publishing import publish

    entry = publish(made, path)
    [remote] = entry.remote
    print(f"{path}: {remote.size / 1e6:.1f} MB, SHA-256 {remote.sha256}")
    print('To offer it: the file on a web server, its address into "url", and this into the "sets" of a catalog.json:')
    print(as_json(entry))
