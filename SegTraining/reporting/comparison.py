"""Which runs of a report are really worse than the best one on the same cases."""

from dataclasses import dataclass

from SpineInference.errors import SpineError

from ..evaluation.statistics import holm, paired_test
from .runs import RunRecord, evaluation_rows
from .thesis_tables import Table

SIGNIFICANT = 0.05


@dataclass(frozen=True)
class _Scored:
    """What is compared: mean Dice, and Dice by case."""

    name: str
    dice: float
    by_case: dict[str, float | None]
    patient_of: dict[str, str]


def comparisons(runs: list[RunRecord]) -> list[Table | str]:
    """For each split and label, and runs on the same cases: the best one against each of the others.

    A sentence instead of a table where the cases are too few for any test.
    """
    groups: dict[tuple[str, str, frozenset[str]], list[_Scored]] = {}
    for name, evaluation, result in evaluation_rows(runs):
        if result["dice"] is not None:
            by_case = evaluation.dice_of_cases(result["planes"], result["label"])
            scored = _Scored(name, result["dice"], by_case, evaluation.patient_of)
            groups.setdefault((evaluation.name, result["label"], frozenset(by_case)), []).append(scored)
    compared = [key for key, members in groups.items() if len(members) > 1]
    return [
        _compare(f"comparison-{number}", f"{split}, {label}, {len(cases)} cases", groups[split, label, cases])
        for number, (split, label, cases) in enumerate(compared, start=1)
    ]


def _compare(key: str, where: str, members: list[_Scored]) -> Table | str:
    best, *others = sorted(members, key=lambda scored: -scored.dice)
    title = f"Compared with the best: {best.name} ({where}: Dice {best.dice:.4f})"
    tests, reasons = {}, {}
    for other in others:
        try:
            tests[other.name] = paired_test(best.by_case, other.by_case, best.patient_of)
        except SpineError as error:
            reasons[other.name] = str(error)
    if not tests:
        return f"Whether the runs differ ({where}) cannot be tested: {next(iter(reasons.values()))}"
    adjusted = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    rows = []
    for other in others:
        test = tests.get(other.name)
        if test is None:
            rows.append((other.name, f"{other.dice:.4f}", None, None, None, None, reasons[other.name]))
        else:
            p = adjusted[other.name]
            # The smallest p that a test of n pairs can have is 2 / 2^n.
            possible = len(tests) * 2 / 2**test.n < SIGNIFICANT
            unproven = "no difference shown" if possible else "too few patients for so many tests"
            verdict = "differs" if p < SIGNIFICANT else unproven
            numbers = (f"{test.n}", f"{test.median_difference:+.4f}", _p(test.p), _p(p))
            rows.append((other.name, f"{other.dice:.4f}", *numbers, verdict))
    columns = ("Run", "Dice", "Patients", "Median difference", "p", "p (Holm)", "Verdict")
    note = (
        "Wilcoxon signed-rank test of the Dice coefficients, patient by patient, two-sided; Holm's correction for the "
        "number of tests in the table. The best run was chosen on these very cases, which favours it."
    )
    return Table(key, title, columns, rows, note)


def _p(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"
