"""The pipeline against the loop of the thesis, on one volume, with the same networks, in one run.

    python Testing/benchmarks/inference.py                  # naive loop timed on 8 slices per plane (no Dice of it)
    python Testing/benchmarks/inference.py --full           # every slice of the naive loop: its Dice too; takes long

The volume is a phantom of a lumbar spine with a known truth, 512 x 512 x 240 voxels of 0.7 mm. Prints both times and
their ratio, slices per second (slices of the scan, whether a network saw them or not), peak memory, Dice, and the
share of each stage; where torch finds CUDA, the same for the GPU. All run in turn, in several rounds, and of each the
fastest counts: computers, above all those that others use too, are not always equally fast.

The naive loop runs twice: on the slices as they are, which is what the thesis does, and on the volume resampled to the
spacing that the networks were trained at, which is cheaper and reaches the pipeline's Dice: the fair comparison.

With `--nnunet`, what a user would pick instead runs too: nnU-Net v2 (see `nnunet.py`), without and with mirroring.
"""

import argparse
import contextlib
import json
import os
import platform
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parents[1]), str(HERE.parents[1] / "SpineSegmentation")]

from SpineInference.engines.devices import list_devices  # noqa: E402
from SpineInference.options import DEFAULT_MODEL  # noqa: E402

BUSY = 0.5
"""More running processes than this before the benchmark begins make its times worthless."""


def main() -> int:
    options = _parse()
    results = []
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    with contextlib.ExitStack() as stack:
        folder = str(options.keep or stack.enter_context(tempfile.TemporaryDirectory()))
        Path(folder).mkdir(parents=True, exist_ok=True)
        _say(f"Making a spine of {' x '.join(map(str, options.shape))} voxels ...")
        # In a child like the arms: Linux counts what a parent held at its largest as its children's peak memory too.
        _run("phantom", {"folder": folder, "shape": options.shape, "seed": options.seed})
        devices = ["cpu", *[str(d) for d in list_devices() if d.kind == "cuda"][:1]]
        for device in devices:
            common = {"folder": folder, "model": options.model, "device": device, "threads": options.threads}
            # A GPU is fast enough for the whole naive loop.
            slices = None if options.full or device != "cpu" else options.naive_slices
            rounds = [_round(common, slices) for _ in range(options.rounds)]
            arms = {
                name: min((each[name] for each in rounds), key=lambda arm: arm["wall_seconds"]) for name in rounds[0]
            }
            ours = arms.pop("pipeline")
            others = arms | (_nnunet(options, slices, folder) if device == "cpu" else {})
            _report(others | {"pipeline": ours}, slices)
            results.append({"device": device, "naive_slices_per_plane": slices} | others | {"pipeline": ours})
    if load and load > BUSY:
        print(
            f"\nThe machine was busy (load {load:.1f}): trust neither the times nor the ratio, which is the larger the"
        )
        print("busier it is, because the naive loop's threads wait for each other. --threads 1 suffers least.")
    if options.json:
        about = {
            "shape": options.shape,
            "model": options.model,
            "threads": options.threads,
            "seed": options.seed,
            "load": load,
            "rounds": options.rounds,
        }
        machine = {"machine": platform.processor() or platform.machine(), "python": platform.python_version()}
        options.json.write_text(json.dumps(about | machine | {"results": results}, indent=2) + "\n", encoding="utf-8")
    return 0


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default=DEFAULT_MODEL, help="set of the catalog, or package (%(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="processor threads of both (%(default)s)")
    parser.add_argument("--full", action="store_true", help="let the others compute every slice")
    parser.add_argument("--naive-slices", type=int, default=8, metavar="N", help="else so many a plane (%(default)s)")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="of which the fastest counts (%(default)s)")
    parser.add_argument("--shape", type=int, nargs=3, default=(512, 512, 240), help="voxels of the volume")
    parser.add_argument("--seed", type=int, default=1, help="of the phantom (%(default)s)")
    parser.add_argument(
        "--nnunet",
        metavar="PYTHON",
        nargs="?",
        const=sys.executable,
        help="nnU-Net too, by the Python of an environment that has nnunetv2; without PYTHON this one",
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="leave scan.nrrd and truth.nrrd there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    return parser.parse_args()


def _round(common: dict, slices: int | None) -> dict[str, dict]:
    """The arms by their names, one after the other."""
    arms = {"pipeline": _measure("pipeline", common)}
    for name, at_model_spacing in (("naive, slices as they are", False), ("naive, resampled", True)):
        arms[name] = _measure("naive", common | {"slices": slices, "at_model_spacing": at_model_spacing})
    return arms


def _measure(arm: str, arguments: dict) -> dict:
    _say(f"Running the {arm} on {arguments['device']} ...")
    return _run(arm, arguments)


def _run(arm: str, arguments: dict) -> dict:
    return _told_by(sys.executable, "arms.py", json.dumps({"arm": arm} | arguments))


def _nnunet(options: argparse.Namespace, slices: int | None, folder: str) -> dict[str, dict]:
    """The arms of nnU-Net by their names, of one plane; none where it was not asked for."""
    arms, some = {}, ["--slices", str(slices)] if slices else []
    for name, mirroring in (("nnU-Net", []), ("nnU-Net, mirroring", ["--mirroring"])) if options.nnunet else ():
        _say(f"Running {name} ...")
        arms[name] = _told_by(options.nnunet, "nnunet.py", folder, "--threads", str(options.threads), *mirroring, *some)
    return arms


def _told_by(python: str, script: str, *arguments: str) -> dict:
    """The line of JSON that a script beside this one prints last."""
    done = subprocess.run([python, str(HERE / script), *arguments], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _report(evaluation_rows: dict[str, dict], slices: int | None) -> None:
    ours = evaluation_rows["pipeline"]
    how = f"extrapolated from {slices} slices per plane" if slices else "every slice"
    print(f"\n{ours['device']}; the others: {how}\n")
    print(" " * 24 + "".join(f"{name:>32}" for name in evaluation_rows))

    def row(title: str, cell: Callable[[dict], str]) -> None:
        print(f"{title:24}" + "".join(f"{cell(arm):>32}" for arm in evaluation_rows.values()))

    for title, key in (("seconds", "wall_seconds"), ("processor seconds", "processor_seconds")):
        row(title, lambda arm, key=key: f"{arm[key]:.1f} ({arm[key] / ours[key]:.1f} x)")
    row("slices per second", lambda arm: f"{arm['slices'] / arm['wall_seconds']:.2f}")
    peak = "peak_megabytes"
    row("peak memory, MB", lambda arm: f"{arm[peak]:.0f} ({arm[peak] / ours[peak]:.1f} x)" if peak in arm else "-")
    row("Dice", lambda arm: f"{arm['dice']:.4f}" if "dice" in arm else "-")
    if ours["warm_wall_seconds"]:
        print(f"The pipeline's second scan: {ours['warm_wall_seconds']:.1f} seconds")
    for name, arm in evaluation_rows.items():
        total = sum(arm.get("timings", {}).values())
        if not total:
            continue
        shares = ", ".join(f"{stage} {100 * part / total:.0f} %" for stage, part in arm["timings"].items())
        print(f"{name}: {shares}")
    sys.stdout.flush()


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
