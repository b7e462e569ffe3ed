"""Where labels come from that no model found: it goes with the result, into its record and its report."""

from dataclasses import dataclass


@dataclass(frozen=True)
class GivenLabels:
    """The `file` of labels that were given to be measured, and its SHA-256."""

    file: str
    sha256: str
