"""Sentences for the status line of the panel."""

from slicer.i18n import tr as _


def sentence(error: Exception) -> str:
    """The text of an error as a sentence of its own: it begins with a capital letter, unless with a path or address."""
    text = str(error).strip() or type(error).__name__
    return text[0].upper() + text[1:] if text.split()[0].rstrip(",:").isalpha() else text


def duration(seconds: float) -> str:
    """A time that a person waits for, or has waited for."""
    if seconds < 90:
        return _("{seconds} s").format(seconds=max(1, round(seconds)))
    return _("{minutes} min").format(minutes=round(seconds / 60))
