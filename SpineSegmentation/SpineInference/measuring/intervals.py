"""What a mean over some patients says of the next ones: a confidence interval, or only the range that was seen.

Of a few patients no interval keeps its promise: a bootstrap of two or three of them holds the true mean in 50 and 75 %
of cases instead of 95 %. Below `LEAST_PATIENTS` there is therefore none, and the smallest and the largest value are
told instead, as what they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

LEAST_PATIENTS = 10
"""With fewer there is no confidence interval."""


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`: the 95 % confidence interval of the mean, or the range of the `range_of` values."""

    low: float
    high: float
    range_of: int | None = None

    @property
    def is_confidence(self) -> bool:
        return self.range_of is None

    def text(self, digits: int) -> str:
        """For a table: "0.886-0.948", or "0.931-0.932, range of 2"."""
        bounds = f"{self.low:.{digits}f}-{self.high:.{digits}f}"
        return f"{bounds}, range of {self.range_of}" if self.range_of else bounds


def interval_of(result: Mapping[str, Any], metric: str = "dice") -> Interval | None:
    """The interval of a metric in one of the results that an evaluation has left in a manifest or in `summary.json`.

    None where there is a single value, or where the result does not say.
    """
    interval, patients = result.get(f"{metric}_ci95"), result.get("patients") or result.get("cases")
    if _are_numbers(interval, 2) and (patients is None or patients >= LEAST_PATIENTS):
        return Interval(*interval)
    count = (result.get("cases") or 0) - (result.get("not_judged") or 0)
    bounds = result.get(f"{metric}_min"), result.get(f"{metric}_max")
    return Interval(*bounds, range_of=count) if count > 1 and _are_numbers(bounds, 2) else None


def _are_numbers(values: object, count: int) -> bool:
    # The metrics of a package are whatever its makers wrote.
    if not isinstance(values, list | tuple) or len(values) != count:
        return False
    return all(isinstance(value, int | float) for value in values)
