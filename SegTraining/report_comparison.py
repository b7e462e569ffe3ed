"""Which runs of a report are really worse than the best one on the same cases."""

from SpineInference.errors import SpineError

from .comparison import holm, paired_test
from .report_runs import Evaluation, RunRecord
from .report_tables import Table

_Arm = tuple[str, Evaluation, str, str]
"""What is compared: its name, the evaluation, the choice of planes and the label."""


def comparison_tables(runs: list[RunRecord]) -> list[Table]:
    """For each evaluated split and label with several runs: the best one against each of the others."""
    groups: dict[tuple[str, str], list[_Arm]] = {}
    for run in runs:
        for evaluation in run.evaluations.values():
            for result in evaluation.results:
                if result["dice"] is not None:
                    arm = (f"{run.name}, {result['planes']}", evaluation, result["planes"], result["label"])
                    groups.setdefault((evaluation.name, result["label"]), []).append(arm)
    return [_table(split, label, arms) for (split, label), arms in groups.items() if len(arms) > 1]


def _table(split: str, label: str, arms: list[_Arm]) -> Table:
    def dice(arm: _Arm) -> float:
        return arm[1].result(arm[2], arm[3])["dice"]

    best, *others = sorted(arms, key=dice, reverse=True)
    tests, reasons = {}, {}
    for arm in others:
        try:
            tests[arm[0]] = paired_test(_values(best), _values(arm), best[1].patient_of)
        except SpineError as error:
            reasons[arm[0]] = str(error)
    adjusted = dict(zip(tests, holm([test.p for test in tests.values()]), strict=True))
    rows = []
    for arm in others:
        name, test = arm[0], tests.get(arm[0])
        if test is None:
            rows.append((name, f"{dice(arm):.4f}", None, None, None, None, reasons[name]))
        else:
            numbers = (f"{test.n}", f"{test.median_difference:+.4f}", _p(test.p), _p(adjusted[name]))
            rows.append(
                (name, f"{dice(arm):.4f}", *numbers, "differs" if adjusted[name] < 0.05 else "no difference shown")
            )
    columns = ("Run, planes", "Dice", "Patients", "Median difference", "p", "p (Holm)", "")
    note = (
        "Wilcoxon signed-rank test of the Dice coefficients, patient by patient, two-sided; Holm's correction for the "
        "number of tests in the table. The best run was chosen on these very cases, which favours it."
    )
    title = f"Compared with the best: {best[0]} ({split}, {label}, Dice {dice(best):.4f})"
    return Table(f"comparison-{split}-{label}".replace(" ", "-").lower(), title, columns, rows, note)


def _values(arm: _Arm) -> dict[str, float | None]:
    return arm[1].dice_of_cases(arm[2], arm[3])


def _p(value: float) -> str:
    return "< 0.0001" if value < 0.0001 else f"{value:.4f}"
