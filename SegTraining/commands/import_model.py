"""`segtraining import-nnunet` and `import-network`: model packages of networks that were trained elsewhere."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from SpineInference.models.model_package import ModelPackage


def add_to(subparsers: argparse._SubParsersAction) -> None:
    command = subparsers.add_parser("import-nnunet", help="make model packages of a trained 2D network of nnU-Net v2")
    command.add_argument(
        "results", type=Path, metavar="RESULTS_FOLDER", help="what nnU-Net has written: nnUNetTrainer__nnUNetPlans__2d"
    )
    command.add_argument("-o", "--output", type=Path, required=True, help="folder of the package, or of the folds'")
    command.add_argument(
        "--folds", nargs="+", default=[], metavar="FOLD", help="only these, which are averaged (default: all there are)"
    )
    command.add_argument("--checkpoint", default="checkpoint_final.pth", help="file in each fold (%(default)s)")
    lie = command.add_mutually_exclusive_group()
    lie.add_argument("--image", type=Path, help="one of the training images: all of them lie like this one")
    lie.add_argument(
        "--orientation", metavar="XYZ", help="instead of --image: where x, y and z of the images grow, such as LPS"
    )
    command.add_argument(
        "--mirroring",
        action="store_true",
        help="average over mirrored slices, as nnU-Net does: a little better and four times as slow",
    )
    command.add_argument("--name", help="of the model (default: that of the data set, and the plane)")
    command.add_argument(
        "--info", type=Path, metavar="FILE", help="YAML file: title, anatomy, licence, codes and colours of the labels"
    )
    command.set_defaults(run=run_import_nnunet)

    command = subparsers.add_parser(
        "import-network", help="make a model package of a 2D network of smp or MONAI: a state dict and its description"
    )
    command.add_argument("description", type=Path, help="YAML file that says what the network is and what it sees")
    command.add_argument("-o", "--output", type=Path, required=True, help="folder of the package")
    command.set_defaults(run=run_import_network)


def run_import_nnunet(options: argparse.Namespace) -> None:
    from SpineInference.files.reading import read_volume
    from SpineInference.volume.geometry import orientation_of

    from ..config.config import read_settings
    from ..importing.nnunet import import_nnunet
    from ..importing.nnunet_results import read_results

    results = read_results(options.results, tuple(options.folds), options.checkpoint)
    info = read_settings(options.info) if options.info else {}
    orientation = orientation_of(read_volume(options.image)) if options.image else options.orientation
    _tell(import_nnunet(results, options.output, orientation, options.mirroring, info, options.name), options.output)


def run_import_network(options: argparse.Namespace) -> None:
    from ..importing.description import read_description
    from ..importing.network import import_network

    description = read_description(options.description)
    _tell([import_network(description, options.description.parent, options.output)], options.output)


def _tell(packages: Sequence["ModelPackage"], output: Path) -> None:
    from SpineInference.anatomy import STRUCTURE_CODE

    for label in packages[0].manifest.labels:
        if label.code == STRUCTURE_CODE[0]:
            print(f'What "{label.name}" is nobody can know: give it a SNOMED CT code and its meaning.')
    print(output)
