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
    """The progress of one run. `planes` is the expected number of planes."""

    def __init__(self, planes: int):
        self._planes = max(planes, 1)
        self._seenPlanes: list[str] = []
        self._started = time.monotonic()
        self.fraction = 0.0

    def update(self, event: dict) -> str:
        """Take a "progress" event of the worker; returns the text for it."""
        self.fraction = max(self.fraction, min(self._fractionOf(event), 1.0))
        return self._text(event)

    def _fractionOf(self, event: dict) -> float:
        stage, part = event["stage"], event["done"] / max(event["total"], 1)
        if stage not in _STAGE_SHARES:
            return 0.0
        if stage == "network":
            if event["plane"] not in self._seenPlanes:
                self._seenPlanes.append(event["plane"])
            part = (self._seenPlanes.index(event["plane"]) + part) / max(self._planes, len(self._seenPlanes))
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
        if self.fraction < 0.2 or spent < 1:  # too early for an estimate
            return ""
        left = spent / self.fraction * (1 - self.fraction)
        return ", " + _("about {seconds} s left").format(seconds=max(1, round(left)))
