"""Headers changed at random: the right volume, a note, or one sentence; no crash, no hang, no 4 GB.

Each kind of scan is read in a process of its own, some hundred times, with seeds that stay the same. More of them:
FUZZ_CASES=5000 FUZZ_FIRST=1000 python -m pytest Testing/inference/fuzzing
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from header_mutations import KINDS
from read_mutated import GOOD

FIRST, CASES = int(os.environ.get("FUZZ_FIRST", 0)), int(os.environ.get("FUZZ_CASES", 170))
SLOWEST_S = 60 + CASES
"""For all cases of a kind; each has a limit of its own."""


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_changed_headers(kind, tmp_path):
    script = Path(__file__).with_name("read_mutated.py")
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, str(script), kind, str(FIRST), str(CASES), str(tmp_path)]
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=SLOWEST_S)
    lines = finished.stdout.splitlines()
    assert finished.returncode == 0, f"ended at {lines[-1:]}: {finished.stderr[-2000:]}"
    outcomes = dict(line.split(": ", 1) for line in lines if line.startswith(kind) and ": " in line)
    assert len(outcomes) == CASES
    assert not {case: outcome for case, outcome in outcomes.items() if outcome not in GOOD}
    assert {"same", "refused"} <= set(outcomes.values())
