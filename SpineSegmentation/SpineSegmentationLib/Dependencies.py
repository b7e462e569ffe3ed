"""What the worker needs and Slicer does not bring: installed once, after asking."""

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import slicer
from slicer.i18n import tr as _


def ensureRequirements(requirementsFile: str) -> None:
    """Install what `requirementsFile` lists and is missing. Called when the user presses Segment, never before.

    Raises RuntimeError if the user declines, CalledProcessError if the installation fails. In Slicer's testing mode
    nothing is installed.
    """
    try:
        from slicer.packaging import load_requirements, pip_ensure
    except ImportError:  # Slicer 5.10
        _ensureByAsking(requirementsFile)
    else:
        pip_ensure(load_requirements(requirementsFile), requester="SpineSegmentation")


def _ensureByAsking(requirementsFile: str) -> None:
    lines = Path(requirementsFile).read_text(encoding="utf-8").splitlines()
    missing = [line for line in lines if line and not line.startswith("#") and not _isInstalled(line)]
    if not missing or slicer.app.testingEnabled():
        return
    question = _("SpineSegmentation needs the Python package {names}. Install it now?").format(names=", ".join(missing))
    if not slicer.util.confirmOkCancelDisplay(question):
        raise RuntimeError(_("The package that SpineSegmentation needs was not installed."))
    slicer.util.pip_install(missing)


def _isInstalled(requirement: str) -> bool:
    try:
        version(re.match(r"[\w.-]+", requirement).group())
    except PackageNotFoundError:
        return False
    return True
