"""What was found, in words."""

from collections.abc import Sequence

from ..anatomy import Naming


def found_in_words(bodies: Sequence[str], structures: Sequence[str]) -> str:
    """How many vertebral bodies of these names were found, from which to which, and which structures."""
    words = []
    if len(bodies) == 1:
        words.append(f"1 vertebral body ({bodies[0]})")
    elif bodies:
        words.append(f"{len(bodies)} vertebral bodies ({bodies[0]} to {bodies[-1]})")
    discs = [name for name in structures if name.startswith("Disc ")]
    if discs:
        words.append(f"{len(discs)} disc{'s' * (len(discs) > 1)}")
    return ", ".join([*words, *(name for name in structures if name not in discs)]) or "Nothing was found"


def levels_in_words(naming: Naming | None) -> str:
    """Where the names of the vertebrae come from; empty where that is not known."""
    if naming is None:
        return ""
    if naming.source == "given":
        return "Levels given by the user"
    if naming.source == "numbered":
        return "Levels not known: counted from the top of the scan"
    anchor = f", counted from {naming.anchor}" if naming.anchor else ""
    sure = "" if naming.confidence is None else f", {naming.confidence:.0%} sure"
    return f"Levels recognised by the program{anchor}{sure}"
