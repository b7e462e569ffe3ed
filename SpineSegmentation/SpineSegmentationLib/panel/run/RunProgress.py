"""Combines the progress of the worker's stages into one fraction that never decreases. Knows no Qt."""

import time

from slicer.i18n import tr as _

_STAGE_SHARES = {
    "reading": 0.04,
    "placing": 0.0,
    "preprocessing": 0.08,
    "bias field": 0.04,
    "shading": 0.02,
    "region": 0.09,
    "network": 0.48,
    "post-processing": 0.03,
    "vertebrae": 0.14,
    "measuring": 0.05,
    "writing": 0.03,
}
"""The stages in their order, and the share of the time that each takes with the bundled models on a CPU."""


class RunProgress:
    """The progress of one run. `planes` is the expected number of planes.

    Of several scans, this one is the `number`-th (from 0) of `total` and is called `name`.
    """

    def __init__(self, planes: int, number: int = 0, total: int = 1, name: str = ""):
        self.planes = max(planes, 1)
        self._number, self._total, self._name = number, total, name
        self._seenPlanes: list[str] = []
        self._started = time.monotonic()
        self._fraction = 0.0

    @property
    def fraction(self) -> float:
        """How much of all scans is done, from 0 to 1."""
        return (self._number + self._fraction) / self._total

    def update(self, event: dict) -> str:
        """Take a "progress" event of the worker; returns the text for it."""
        self._fraction = max(self._fraction, min(self._fractionOf(event), 1.0))
        if self._total == 1:
            return self._text(event)
        return _("Scan {number} of {total}, {name}: {text}").format(
            number=self._number + 1, total=self._total, name=self._name, text=self._text(event)
        )

    def _fractionOf(self, event: dict) -> float:
        stage, part = event["stage"], event["done"] / max(event["total"], 1)
        if stage not in _STAGE_SHARES:
            return 0.0
        if stage == "network":
            if event["plane"] not in self._seenPlanes:
                self._seenPlanes.append(event["plane"])
            part = (self._seenPlanes.index(event["plane"]) + part) / max(self.planes, len(self._seenPlanes))
        stages = list(_STAGE_SHARES)
        return sum(_STAGE_SHARES[before] for before in stages[: stages.index(stage)]) + part * _STAGE_SHARES[stage]

    def _text(self, event: dict) -> str:
        names = {
            "reading": _("Reading the scan"),
            "placing": _("Looking for the size and position of the slice"),
            "preprocessing": _("Preparing the scan"),
            "bias field": _("Correcting uneven brightness"),
            "shading": _("Looking for uneven brightness"),
            "region": _("Looking for the spine"),
            "network": _("Segmenting"),
            "post-processing": _("Cleaning the result"),
            "vertebrae": _("Separating and naming the vertebrae"),
            "measuring": _("Measuring"),
            "writing": _("Writing the result"),
        }
        planes = {"sagittal": _("sagittal"), "coronal": _("coronal"), "axial": _("axial")}
        text = names.get(event["stage"], event["stage"])
        if event["stage"] == "network":
            text = _("Segmenting, {plane} slice {done} of {total}").format(
                plane=planes[event["plane"]], done=event["done"], total=event["total"]
            )
        return text + self._timeLeft()

    def _timeLeft(self) -> str:
        spent = time.monotonic() - self._started
        if self._fraction < 0.2 or spent < 1:  # too early for an estimate
            return ""
        left = spent / self._fraction * (1 - self._fraction)
        return ", " + _("about {seconds} s left").format(seconds=max(1, round(left)))
