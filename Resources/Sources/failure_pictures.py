"""Draws where the bundled models fail, for Resources/Models/README.md: on generated spines, no patients' scans.

segtraining phantom DATA/Dataset902_Unseen --kind varied-spine --count 12 --seed 30000
segtraining evaluate --dataset Dataset902_Unseen --data DATA --model vertebral-bodies-mr -o EVALUATION
python Resources/Sources/failure_pictures.py EVALUATION
"""

import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "SpineSegmentation")]

from SegTraining.evaluation_folder import EXAMPLES  # noqa: E402
from SegTraining.examples import read_examples  # noqa: E402
from SegTraining.report_pictures import overlays  # noqa: E402
from SegTraining.scoring import FUSED  # noqa: E402

if __name__ == "__main__":
    examples = read_examples(Path(sys.argv[1], EXAMPLES))
    worst = [example for example in examples if example.planes == FUSED and example.kind == "worst"]
    (PROJECT / "Resources" / "Models" / "failures.webp").write_bytes(overlays(worst))
