"""The command line `spine-segment`: scans in, one folder of results for each out. `--help` tells the rest.

Nothing heavy is imported before the arguments are understood, so that `--help` and mistakes answer at once.
"""

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .. import __version__
from ..anatomy import DISC_CODE
from ..errors import Cancelled, NotAScan, SpineError
from ..processors import prepare_process
from .display import Display
from .labels_option import add_labels, check_labels
from .output_options import add_outputs, outputs_of
from .postprocessing_options import add_postprocessing, postprocessing_of
from .streams import unread_output_allowed

if TYPE_CHECKING:
    from ..anatomy import Segment
    from .record import Record
    from .requests import Request
    from .runner import WrittenResult

EXIT_OK, EXIT_UNEXPECTED, EXIT_BAD_INPUT, EXIT_CANCELLED = 0, 1, 2, 130
_PASSED_OVER = -1

_EPILOG = """\
examples:
  spine-segment scan.nii.gz -o results
  spine-segment dicom-folder -o results --top-level C2
  spine-segment picture.png -o results --spacing 0.7
  spine-segment folder-of-scans -o results --planes sagittal --device cpu
  spine-segment scan.nii.gz -o results --reference drawn.nii.gz --smooth 2 --remove-below 500
  spine-segment dicom-folder -o results --sr --points
  spine-segment scan.nii.gz -o results --labels corrected.seg.nrrd --report
  spine-segment archive -o results --report
  spine-segment archive -o shared/results --cluster head-node:6379 --threads 4

For every scan OUT gets a folder named after it, with the label map (.nii.gz), the same as a segmentation for
3D Slicer (.seg.nrrd), the measurements and the measures of the spine (.csv, .json), the centres of the bodies
(.mrk.json), a record of the run (.json) and pictures (.png), and what the options below add.
The folder of an earlier run is replaced if its files have not been changed since; any other is refused.

With --cluster each scan takes as many processor cores as it has --threads (default: up to 4), 4 GB of memory and, if
there are any and --device allows it, a GPU. Scans whose worker or node dies are tried again. Every node needs
SpineSegmentation and Ray, and sees scans, models and results under the same paths.

exit code: 0 all scans done (also when nothing was found in a scan), 2 a scan or an option cannot be used,
1 something failed unexpectedly, 130 cancelled. Scans that cannot be used do not stop the others. In a folder label
maps, segmentations and other files that are no scans are passed over, with a note.

Not for clinical use.
"""


def main(arguments: Sequence[str] | None = None, run: Callable | None = None) -> int:
    """Do what the command line asks for; returns the exit code. `run` stands in for `runner.Runner().run`."""
    prepare_process()
    with unread_output_allowed():
        return _main(_parse(arguments), run)


def _main(options: argparse.Namespace, run: Callable | None) -> int:
    display = Display(options.quiet)
    try:
        if options.list_devices:
            return _list_devices()
        if _asks_for_models_only(options):
            return _serve_models(options, display)
        with display.stoppable():
            return _segment_all(options, run, display)
    except SpineError as error:
        display.error(str(error))
        return EXIT_BAD_INPUT
    except (Cancelled, KeyboardInterrupt):
        display.error("Cancelled.")
        return EXIT_CANCELLED


def _segment_all(arguments: argparse.Namespace, run: Callable | None, display: Display) -> int:
    from ..models.catalog import open_set
    from ..reports.batch_page import check_batch_page
    from .batch import found_in_folder, plan
    from .batch_report import write_batch
    from .runner import Runner

    check_labels(arguments, _parser())
    template = _request_template(arguments)
    requests, failures = plan(arguments.scans, arguments.output, arguments.reference, arguments.labels, template)
    for failure in failures:
        display.error(str(failure))
    if run is None:
        if not arguments.labels:
            open_set(template.options.model)  # a mistake in its name is worth one sentence, not one for each scan
        run = Runner().run
    batch_page = template.report and len(requests) > 1
    if batch_page:
        check_batch_page(Path(arguments.output))
    problems = [str(failure) for failure in failures]
    exit_codes = [EXIT_BAD_INPUT] * len(failures)
    found = [request for request in requests if found_in_folder(request, arguments.scans)]
    if arguments.cluster:
        exit_codes += _segment_on_cluster(requests, found, arguments.cluster, display, problems)
    else:
        exit_codes += [_segment(request, request in found, run, display, problems) for request in requests]
    exit_codes = [code for code in exit_codes if code != _PASSED_OVER]
    if not exit_codes:
        display.error(f"{', '.join(arguments.scans)}: nothing in there is a scan.")
        return EXIT_BAD_INPUT
    if batch_page:
        display.line(f"Report of all scans: {write_batch(Path(arguments.output), problems)}")
    if len(exit_codes) > 1:
        display.line(f"{exit_codes.count(EXIT_OK)} of {len(exit_codes)} scans done.")
    return EXIT_UNEXPECTED if EXIT_UNEXPECTED in exit_codes else max(exit_codes)


def _segment(request: "Request", found: bool, run: Callable, display: Display, problems: list[str]) -> int:
    from .requests import check_request

    def work() -> "WrittenResult":
        check_request(request)
        with display.scan(_title(request)) as monitor:
            return run(request, monitor)

    return _attempt(request, found, work, display, problems)


def _segment_on_cluster(
    requests: "Sequence[Request]", found: "Sequence[Request]", address: str, display: Display, problems: list[str]
) -> list[int]:
    from .batch import segment_on_cluster
    from .cluster import connected
    from .requests import check_request

    sound, exit_codes = {}, []
    for request in requests:
        try:
            check_request(request)
            sound[_title(request)] = request
        except SpineError as error:
            problems.append(_sentence(request, error))
            display.error(problems[-1])
            exit_codes.append(EXIT_BAD_INPUT)
    if sound:
        with display.scan("cluster") as monitor, connected(address) as cluster:
            for finished in segment_on_cluster(cluster, sound, monitor):
                for note in finished.notes:
                    display.note(f"{finished.name}: {note}")
                request = sound[finished.name]
                exit_codes.append(_attempt(request, request in found, finished.outcome, display, problems))
    return exit_codes


def _attempt(
    request: "Request", found: bool, work: "Callable[[], WrittenResult]", display: Display, problems: list[str]
) -> int:
    """Do the work for one request; whatever goes wrong with it is told, kept among the `problems`, and does not stop
    the others.

    `found`: in a folder, where what is no scan is passed over.
    """
    try:
        written = work()
    except SpineError as error:
        if found and isinstance(error, NotAScan):
            display.note(f"Passed over: {_sentence(request, error)}")
            return _PASSED_OVER
        problems.append(_sentence(request, error))
        display.error(problems[-1])
        return EXIT_BAD_INPUT
    except Cancelled:
        raise
    except Exception as error:
        display.error(traceback.format_exc())
        problems.append(f"{request.input}: failed unexpectedly ({type(error).__name__}: {error}), please report it.")
        display.error(problems[-1])
        return EXIT_UNEXPECTED
    record = written.record
    told = f"{_found(record.segments)}{_agreement(record)} in {record.total_seconds:.0f} s"
    display.line(f"{_title(request)}: {told} -> {written.folder}")
    return EXIT_OK


def _title(request: "Request") -> str:
    return Path(request.output).name


def _sentence(request: "Request", error: SpineError) -> str:
    sentence = str(error)
    return sentence if request.input in sentence else f"{request.input}: {sentence}"


def _found(segments: "Sequence[Segment]") -> str:
    bodies = [segment.name for segment in segments if segment.is_vertebra]
    discs = [segment.name for segment in segments if segment.code == DISC_CODE[0]]
    found = [segment.name for segment in segments if not segment.is_vertebra and segment.name not in discs]
    found[:0] = discs if len(discs) < 2 else [f"{len(discs)} discs"]
    if len(bodies) == 1:
        found.insert(0, f"1 vertebral body ({bodies[0]})")
    elif bodies:
        found.insert(0, f"{len(bodies)} vertebral bodies ({bodies[0]} to {bodies[-1]})")
    return ", ".join(found) or "nothing was found"


def _agreement(record: "Record") -> str:
    """How well the result agrees with the reference, where there was one that can be compared."""
    summary = record.measurements["reference"]
    if not summary or summary["dice"] is None:
        return ""
    hd95 = "" if summary["hd95_mm"] is None else f", HD95 {summary['hd95_mm']:.1f} mm"
    return f", Dice {summary['dice']:.3f}{hd95}, {summary['n_missed']} missed, {summary['n_false']} false"


def _request_template(arguments: argparse.Namespace) -> "Request":
    """What is the same for all scans. Raises SpineError for options that cannot be carried out."""
    from ..options import DEFAULT_MODEL, SegmentationOptions
    from .requests import Request

    options = SegmentationOptions(
        model=arguments.model or DEFAULT_MODEL,
        planes=arguments.planes,
        plane=arguments.plane,
        spacing_mm=arguments.spacing,
        fusion=arguments.fusion,
        top_level=arguments.top_level,
        bottom_level=arguments.bottom_level,
        propose_levels=not arguments.numbered,
        bias_correction=arguments.n4,
        postprocessing=postprocessing_of(arguments, arguments.model or DEFAULT_MODEL),
        device=arguments.device,
        precision=arguments.precision,
        threads=arguments.threads,
    )
    return Request("", "", options, **outputs_of(arguments))


def _asks_for_models_only(options: argparse.Namespace) -> bool:
    return bool(options.list_models or options.verify_models or options.download_model)


def _serve_models(options: argparse.Namespace, display: Display) -> int:
    from .model_commands import download_model, list_models, verify_models

    if options.download_model:
        download_model(options.download_model, display)
    if options.list_models:
        list_models()
    return EXIT_OK if not options.verify_models or verify_models(display) else EXIT_BAD_INPUT


def _list_devices() -> int:
    from ..engines.devices import list_devices

    for device in list_devices():
        print(f"{device!s:8} {device.name}: {device.reason}")
    return EXIT_OK


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(arguments)
    if not (options.list_devices or _asks_for_models_only(options)):
        if not options.scans:
            parser.error("give at least one scan")
        if not options.output:
            parser.error("give a folder for the results with -o")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="spine-segment",
        description="Finds, names and measures the vertebral bodies in spine scans, or what else a model was made for.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "scans",
        nargs="*",
        metavar="SCAN",
        help="NIfTI, NRRD, MHA, PNG, JPEG or TIFF file, DICOM folder, or folder of scans",
    )
    parser.add_argument("-o", "--output", metavar="OUT", help="folder for the results")
    parser.add_argument("--model", metavar="NAME|FILE", help="a model of --list-models, or a model package")
    parser.add_argument(
        "--planes", type=_comma_separated, metavar="P,P", help="some of sagittal,coronal,axial (default: all that help)"
    )
    parser.add_argument(
        "--plane",
        type=str.lower,
        metavar="P",
        help="what a picture or single slice shows: sagittal, coronal or axial (default: as its file says, else found)",
    )
    parser.add_argument(
        "--spacing",
        type=_spacing,
        metavar="MM",
        help="the pixels of a picture or single slice in mm, as 0.7 or ROWxCOLUMN (default: as its file says)",
    )
    parser.add_argument("--fusion", choices=("mean", "vote"), default="mean", help="how planes are fused (%(default)s)")
    parser.add_argument("--device", default="auto", metavar="D", help="auto, cpu, cuda, cuda:N or mps (%(default)s)")
    parser.add_argument(
        "--precision",
        choices=("auto", "full"),
        default="auto",
        help="full computes in single precision even where half the digits are faster (%(default)s)",
    )
    parser.add_argument("--top-level", metavar="LEVEL", help="the first vertebra in the scan, such as C2")
    parser.add_argument("--bottom-level", metavar="LEVEL", help="the last vertebra in the scan, such as L5")
    parser.add_argument(
        "--numbered", action="store_true", help="without a level, number the vertebrae even if the scan shows theirs"
    )
    parser.add_argument(
        "--n4",
        action=argparse.BooleanOptionalAction,
        help="correct uneven brightness with N4, or never (default: where a surface coil hides vertebrae)",
    )
    add_postprocessing(parser)
    add_outputs(parser)
    parser.add_argument(
        "--reference", metavar="MASK", help="mask to compare with; for several scans a folder with masks of their names"
    )
    add_labels(parser)
    parser.add_argument("--threads", type=int, metavar="N", help="processor threads (default: all)")
    parser.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="spread the scans over the Ray cluster at host:port or ray://host:port, or over this computer (local)",
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="print errors only")
    parser.add_argument("--list-models", action="store_true", help="list the models and stop")
    parser.add_argument("--verify-models", action="store_true", help="check the files of all models and stop")
    parser.add_argument("--download-model", metavar="NAME", help="download a model of --list-models and stop")
    parser.add_argument("--list-devices", action="store_true", help="list the devices and stop")
    parser.add_argument("--version", action="version", version=f"spine-segment {__version__}")
    return parser


def _comma_separated(text: str) -> tuple[str, ...]:
    return tuple(part.strip().lower() for part in text.split(","))


def _spacing(text: str) -> tuple[float, float]:
    """Of rows and of columns, in mm."""
    parts = text.lower().split("x")
    try:
        rows, columns = (float(part) for part in (parts * 2 if len(parts) == 1 else parts))
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is not a spacing in mm: write 0.7 or 0.7x0.6') from None
    return rows, columns


if __name__ == "__main__":
    sys.exit(main())
