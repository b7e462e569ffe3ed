"""Reads mutated headers in a process of its own: python read_mutated.py KIND FIRST COUNT FOLDER

The cases are those with the seeds from FIRST on. Each prints its seed before it is read, so that the last line names
the one that ended the process, and then what became of it: one of `GOOD`, or what is wrong.
"""

import contextlib
import faulthandler
import random
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

from header_claims import claimed, same
from header_mutations import mutate, write_scan

from SpineInference.errors import SpineError
from SpineInference.files.reading import read_labels, read_volume
from SpineInference.monitor import Monitor
from SpineInference.volume.slice_placement import unknown_of

GOOD = ("same", "noted", "claimed", "refused")
"""The voxels and geometry of the sound scan; with a note; what another reader finds; one sentence."""
TIME_LIMIT_S = 20
MEMORY_LIMIT = 4 << 30


def limit_memory() -> None:
    """Let this process have no more than the limit, where the system can do that."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_LIMIT, MEMORY_LIMIT))


def run(kind: str, seed: int, folder: Path) -> str:
    """What becomes of one case; `folder` is empty."""
    rng = random.Random(f"{kind} {seed}")
    scan = write_scan(kind, folder)
    read = read_labels if scan.is_segmentation or rng.random() < 0.2 else read_volume
    sound = read(scan.path)
    # A program that writes one slice wrongly often does so with all of them.
    state = rng.getstate() if rng.random() < 0.4 else None
    for header in scan.headers if state else [rng.choice(scan.headers)]:
        if state:
            rng.setstate(state)
        header.write_bytes(mutate(kind, header.read_bytes(), rng))
    notes: list[str] = []
    try:
        image = read(scan.path, Monitor(on_note=notes.append))
    except SpineError as error:
        return _judge_sentence(str(error))
    except Exception:
        return traceback.format_exc()
    if same(image, sound):
        return "same"
    if notes or unknown_of(image) != unknown_of(sound):  # what is unknown is asked for, or noted in the pipeline
        return "noted"
    return "claimed" if claimed(scan, image) else f"silently {image.GetSize()} {image.GetSpacing()} {image.GetOrigin()}"


def _judge_sentence(message: str) -> str:
    first, *rest = message.split("\n")  # the volumes in a folder are listed below a sentence
    if "memory" in first:
        return "too much memory: " + message
    is_list = first.endswith(":") and all(line.startswith("  ") for line in rest)
    return "refused" if (is_list if rest else first.endswith(".")) else f"no sentence: {message!r}"


def main(kind: str, first: str, count: str, folder: str) -> None:
    warnings.simplefilter("error")  # they would stand on the command line beside the sentence
    limit_memory()
    for seed in range(int(first), int(first) + int(count)):
        print(f"{kind} {seed}", flush=True)
        faulthandler.dump_traceback_later(TIME_LIMIT_S, exit=True)
        with tempfile.TemporaryDirectory(dir=folder) as empty:
            outcome = run(kind, seed, Path(empty))
        faulthandler.cancel_dump_traceback_later()
        print(f"{kind} {seed}: {outcome}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
