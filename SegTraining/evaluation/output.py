"""What `evaluate` writes and `report` reads.

summary.json       means, intervals and counts for each data set, choice of planes and label; the same of single bodies
cases.csv          one line per case, choice of planes and label
bodies.csv         one line per body of the reference: its level, Dice (0 where it was missed) and distances, and
                   whether it was named rightly
slices.csv         one line per slice: Dice, or nothing where there was nothing to find and nothing was found
examples.npz       the best and the worst slices
network-PLANE.npz  kernels and activation maps of each network
"""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from SpineInference.files.atomic import atomic

SUMMARY, CASES, BODIES, SLICES, EXAMPLES = "summary.json", "cases.csv", "bodies.csv", "slices.csv", "examples.npz"
NETWORK = "network-{plane}.npz"


def write_csv(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """Write `rows`, which have the same keys; None becomes an empty field. Without rows, nothing is written."""
    if not rows:
        return
    with atomic(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
