"""Draws where the bundled models fail, for the README beside them: on generated spines, no patients' scans.

segtraining phantom DATA/Dataset930_Unseen --kind varied-spine --count 12 --seed 30000
python Resources/Sources/failure_pictures.py DATA/Dataset930_Unseen
"""

import sys
import tempfile
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "SpineSegmentation")]

from SegTraining.data.datasets import find_cases  # noqa: E402
from SegTraining.data.raw_folder import describe_raw_folder  # noqa: E402
from SegTraining.evaluation.evaluate import evaluate, labels_of  # noqa: E402
from SegTraining.evaluation.examples import read_examples  # noqa: E402
from SegTraining.evaluation.output import EXAMPLES  # noqa: E402
from SegTraining.reporting.figures import overlays  # noqa: E402
from SpineInference.models.catalog import open_set  # noqa: E402
from SpineInference.options import DEFAULT_MODEL  # noqa: E402

PICTURE = PROJECT / "Resources" / "Screenshots" / "failures.webp"


def main(folder: Path) -> None:
    """Evaluate the cases of the data set in `folder`, and draw the worst slices."""
    models = open_set(DEFAULT_MODEL)
    cases = find_cases(describe_raw_folder(folder, labels_of(models)), folder.parent)
    with tempfile.TemporaryDirectory() as scores:
        evaluate(models, cases, Path(scores), each_plane=False)
        worst = [example for example in read_examples(Path(scores, EXAMPLES)) if example.kind == "worst"]
    PICTURE.write_bytes(overlays(worst))


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
