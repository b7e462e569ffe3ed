"""The command `segtraining`: from data sets to evaluated model packages; `segtraining --help` lists what it can do."""

import argparse
import os
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from SpineInference.errors import SpineError

from .config.console import show_progress

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from SpineInference.models.catalog import ModelSet
    from SpineInference.models.model_package import ModelPackage

    from .config.config import Config
    from .config.data import Label
    from .data.datasets import Case


def main(arguments: list[str] | None = None) -> int:
    """Run one command; the exit code: 0 done, 2 something the user can correct, 130 interrupted."""
    options = _parser().parse_args(arguments)
    show_progress()
    try:
        options.run(options)
    except SpineError as error:
        print(f"segtraining: {error}", file=sys.stderr)
        return 2
    except ModuleNotFoundError as error:
        if error.name.partition(".")[0] in ("SegTraining", "SpineInference"):
            raise
        print(
            f'segtraining: the Python package "{error.name}" is not installed: run "make develop", or pip install '
            '".[training]" in the project\'s folder.',
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="segtraining", description="Makes models: data, training, evaluation, package."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    command = commands.add_parser("phantom", help="write a data set of synthetic spines, bone scans or radiographs")
    command.add_argument("output", type=Path, help="folder of the new data set")
    command.add_argument(
        "--kind",
        choices=("spine", "varied-spine", "scintigraphy", "radiograph"),
        default="spine",
        help="what it shows (default spine: lumbar T1, T2 and water images in turn; varied-spine: any region and scan)",
    )
    command.add_argument("--count", type=int, default=24, help="scans or images (default 24)")
    command.add_argument("--seed", type=int, default=1)
    command.set_defaults(run=_phantom)

    command = commands.add_parser("prepare", help="put the data sets of a configuration into the cache")
    _add_config(command)
    command.add_argument("--processes", type=int, default=1, help="cases prepared at the same time (default 1)")
    command.set_defaults(run=_prepare)

    command = commands.add_parser("inspect", help="print and draw what the data sets hold, and find their faults")
    _add_config(command)
    command.add_argument("-o", "--output", type=Path, default=Path("inspection.png"), help="the contact sheet")
    command.set_defaults(run=_inspect)

    command = commands.add_parser("show-augmentations", help="draw training samples as the network sees them")
    _add_config(command)
    command.add_argument("-o", "--output", type=Path, default=Path("augmentations.png"))
    command.set_defaults(run=_show_augmentations)

    command = commands.add_parser("train", help="train a network; prepares first what is not in the cache")
    _add_config(command)
    command.add_argument("-o", "--output", type=Path, help="run folder (default runs/CONFIG)")
    command.add_argument("--resume", action="store_true", help="go on with the run in that folder")
    command.set_defaults(run=_train)

    command = commands.add_parser("evaluate", help="score whole volumes with the runtime's own pipeline")
    _add_models(command)
    _add_config(command, required=False)
    command.add_argument(
        "--split", choices=("training", "validation", "test"), help="these cases of CONFIG (of a --run: test)"
    )
    command.add_argument(
        "--dataset",
        dest="datasets",
        action="append",
        metavar="FOLDER",
        help="any data set in nnU-Net's raw layout, below --data or wherever it lies, instead of CONFIG and --split; "
        "may be repeated",
    )
    command.add_argument("--cases", nargs="+", metavar="CASE|FILE", help="only these: names, or a file with one a line")
    command.add_argument("--bodies", action="store_true", help="tell detection, agreement and levels body by body")
    command.add_argument("--fused-only", action="store_true", help="do not score each plane alone")
    command.add_argument("--planes", metavar="P,P", help="score these together, some of sagittal,coronal,axial")
    command.add_argument("--whole-volume", action="store_true", help="compute all of each scan, not only the spine")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (%(default)s)")
    command.add_argument("--threads", type=int, help="processor threads (default: all)")
    command.add_argument(
        "--results", type=Path, metavar="FOLDER", help="keep what spine-segment writes of each scan, with pictures"
    )
    command.add_argument("-o", "--output", type=Path, help="default: evaluation; of one --run: RUN/evaluation/SPLIT")
    command.set_defaults(run=_evaluate)

    command = commands.add_parser("predict", help="write what models find in scans as label maps on the scans' grids")
    command.add_argument("scans", nargs="*", metavar="SCAN", help="image file, DICOM folder, or folder of scans")
    _add_models(command)
    command.add_argument("--split", choices=("training", "validation", "test"), help="these cases of CONFIG instead")
    command.add_argument("--config", help="of --split: YAML file, or the name of a preset (default: that of the run)")
    _add_data_folder(command)
    command.add_argument("-o", "--output", type=Path, required=True, help="folder of the label maps")
    command.add_argument("--format", choices=("nii.gz", "nrrd", "seg.nrrd"), default="nii.gz", help="(%(default)s)")
    command.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps (%(default)s)")
    command.add_argument("--precision", choices=("full", "int8"), default="full", help="of the CPU (%(default)s)")
    command.add_argument("--threads", type=int, help="processor threads (default: all)")
    command.set_defaults(run=_predict)

    command = commands.add_parser("experiment", help="train and evaluate many configurations, resumably, and report")
    command.add_argument("experiment", help="YAML file of an experiment, or the name of a preset")
    _add_data(command)
    command.add_argument("-o", "--output", type=Path, help="folder of the experiment (default experiments/NAME)")
    command.add_argument("--only", nargs="+", default=["*"], metavar="PATTERN", help="runs with such names: *-sagittal")
    command.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="run in the Ray cluster at host:port or ray://host:port, or several at a time on this computer (local)",
    )
    command.add_argument("--list", action="store_true", help="show the runs and how far they are, and run nothing")
    command.add_argument("--report", action="store_true", help="write the report of what is there, and run nothing")
    command.set_defaults(run=_experiment)

    command = commands.add_parser("report", help="write curves, pictures and tables of runs as one HTML file")
    command.add_argument("run_folders", type=Path, nargs="+", metavar="RUN", help="run folder, or output of evaluate")
    command.add_argument("-o", "--output", type=Path, default=Path("report.html"))
    command.set_defaults(run=_report)

    command = commands.add_parser("levels", help="train the network that recognises levels, and make its package")
    command.add_argument("config", nargs="?", default="vertebral-levels", help="YAML file, or a preset (%(default)s)")
    _add_data(command)
    command.add_argument("-o", "--output", type=Path, default=Path("models/vertebral-levels-mr"))
    command.set_defaults(run=_levels)

    command = commands.add_parser("package", help="make a model package of a run")
    command.add_argument("run_folder", type=Path, metavar="RUN", help="run folder; with --zip also a finished package")
    command.add_argument("-o", "--output", type=Path, help="folder of the package (default models/RUN)")
    command.add_argument("--evaluation", type=Path, help="summary.json of evaluate, to go into the manifest")
    command.add_argument(
        "--int8", action="store_true", help="add an 8-bit version for CPUs, if it is good on the validation cases"
    )
    command.add_argument(
        "--zip", type=Path, metavar="FILE", help="write the package as one file too, and print the entry of a catalog"
    )
    _add_data_folder(command)
    command.set_defaults(run=_package)
    return parser


def _add_config(command: argparse.ArgumentParser, required: bool = True) -> None:
    command.add_argument("config", nargs=None if required else "?", help="YAML file, or the name of a preset")
    _add_data(command)


def _add_models(command: argparse.ArgumentParser) -> None:
    command.add_argument("--model", help="name of a set of models, or a folder or zip of packages")
    command.add_argument(
        "--run",
        dest="run_folders",
        type=Path,
        action="append",
        default=[],
        help="a run folder instead; may be given for each plane. Brings its CONFIG",
    )


def _add_data_folder(command: argparse.ArgumentParser) -> None:
    command.add_argument("--data", type=Path, help="folder of the data sets (default: SPINE_DATA)")


def _add_data(command: argparse.ArgumentParser) -> None:
    _add_data_folder(command)
    command.add_argument("--cache", type=Path, default=Path("cache"), help="folder of prepared cases (default cache)")
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting: training.max_minutes=60"
    )


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


def _phantom(options: argparse.Namespace) -> None:
    if options.kind in ("spine", "varied-spine"):
        from .synthetic.spine.dataset import write_dataset

        variety = "plain" if options.kind == "spine" else "full"
        write_dataset(options.output, options.count, options.seed, variety)
    else:
        from .synthetic.planar.dataset import write_flat_dataset

        write_flat_dataset(options.output, options.kind, options.count, options.seed)


def _prepare(options: argparse.Namespace) -> None:
    from .data.prepare import prepare

    parts = prepare(_config(options), _data(options), options.cache, options.processes)
    print(", ".join(f"{len(cases)} cases for {part}" for part, cases in parts.items()))


def _inspect(options: argparse.Namespace) -> None:
    from .reporting.inspect import inspect

    fatal = [fault for fault in inspect(_config(options), _data(options), options.output) if fault.fatal]
    print(options.output)
    if fatal:
        raise SpineError(f"{len(fatal)} faults stand in the way of training: correct them (see FAULT above).")


def _show_augmentations(options: argparse.Namespace) -> None:
    from .data.prepare import prepare
    from .reporting.batch_pictures import show_augmentations

    config = _config(options)
    show_augmentations(prepare(config, _data(options), options.cache)["training"], config, options.output)
    print(options.output)


def _train(options: argparse.Namespace) -> None:
    from .training.train import train

    folder = options.output or Path("runs") / Path(options.config).stem
    print(train(_config(options), _data(options), options.cache, folder, options.resume))


def _check_models(options: argparse.Namespace) -> None:
    if bool(options.model) == bool(options.run_folders):
        raise SpineError("It is not said with what models: give --model, or --run and a run folder.")
    if options.run_folders:
        options.config = options.config or str(options.run_folders[0] / "config.yaml")


def _models(options: argparse.Namespace) -> "AbstractContextManager[ModelSet]":
    from SpineInference.models.catalog import open_set

    from .evaluation.evaluate import open_runs

    return open_runs(options.run_folders) if options.run_folders else nullcontext(open_set(options.model))


def _evaluate(options: argparse.Namespace) -> None:
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


def _predict(options: argparse.Namespace) -> None:
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


def _experiment(options: argparse.Namespace) -> None:
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
        run_experiment(planned, output, run_in_cluster(options.cluster) if options.cluster else run_locally)


def _report(options: argparse.Namespace) -> None:
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


def _levels(options: argparse.Namespace) -> None:
    from .config.levels import load_level_config
    from .levels.train import train_levels

    made = train_levels(load_level_config(options.config), _data(options), options.output)
    print(f"{options.output}: {made.size_bytes / 1e6:.2f} MB, {made.manifest.metrics}")


def _package(options: argparse.Namespace) -> None:
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


if __name__ == "__main__":
    sys.exit(main())
