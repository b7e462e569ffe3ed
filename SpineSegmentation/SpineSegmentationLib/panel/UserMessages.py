"""Texts for the panel's status line and log: errors, notes and durations in a form for the user."""

import html

from slicer.i18n import tr as _


def asSentence(message: Exception | str) -> str:
    """An error or a note as a sentence: with a capital letter, unless it begins with a path or an address."""
    text = str(message).strip() or type(message).__name__
    return text[0].upper() + text[1:] if text.split()[0].rstrip(",:").isalpha() else text


def asToolTip(*paragraphs: str) -> str:
    """A tooltip of these texts without the empty ones; what looks like HTML in them, as a node's name may, is shown."""
    return "".join(f"<p>{html.escape(text, quote=False)}</p>" for text in paragraphs if text)


def durationText(seconds: float) -> str:
    """A duration in whole seconds, or in minutes from 90 seconds on."""
    if seconds < 90:
        return _("{seconds} s").format(seconds=max(1, round(seconds)))
    return _("{minutes} min").format(minutes=round(seconds / 60))
