"""What the worker needs and Slicer does not bring: listed with its size, asked once, installed without touching what
is there."""

import importlib
import importlib.util
import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from SpineInference.errors import SpineError

_RESOURCES = Path(__file__).resolve().parents[2] / "Resources"
REQUIREMENTS = _RESOURCES / "requirements.txt"
GPU_REQUIREMENTS = _RESOURCES / "requirements-gpu.txt"

_LINE = re.compile(r"(?P<name>[\w.-]+)>=(?P<lowest>[\d.]+)\s*#\s*about (?P<megabytes>\d+) MB")


@dataclass(frozen=True)
class Requirement:
    """One line of a requirements file."""

    name: str
    lowest: str
    megabytes: int

    def __str__(self) -> str:
        return f"{self.name}>={self.lowest}"

    def isInstalled(self) -> bool:
        try:
            return _numbers(version(self.name)) >= _numbers(self.lowest)
        except PackageNotFoundError:
            return False


def ensureInstalled(device: str, confirm: Callable[[str], bool]) -> None:
    """Install what segmenting on `device` needs and is missing, if `confirm(question)` says so.

    PyTorch is installed only for a GPU that was asked for. Raises SpineError if the user declines or the installation
    fails. In Slicer's testing mode nothing is installed.
    """
    wantsCard = device not in ("auto", "cpu")
    if wantsCard:
        _ensurePyTorch()
    missing = missingRequirements(wantsCard)
    if not missing or slicer.app.testingEnabled():
        return
    names = "\n".join(
        _("{name}, about {megabytes} MB").format(name=each.name, megabytes=each.megabytes) for each in missing
    )
    question = _(
        "Segmenting needs these Python packages, which are not installed yet:\n\n{names}\n\n"
        "Download and install them now? Packages that are already installed stay as they are."
    ).format(names=names)
    if not confirm(question):
        raise SpineError(_("nothing was segmented, because a package that it needs was not to be installed."))
    _install([str(each) for each in missing])


def missingRequirements(wantsCard: bool) -> list[Requirement]:
    """What has to be installed."""
    files = [REQUIREMENTS, GPU_REQUIREMENTS] if wantsCard else [REQUIREMENTS]
    return [each for file in files for each in readRequirements(file) if not each.isInstalled()]


def readRequirements(file: Path) -> list[Requirement]:
    """The requirements in a file: lines such as "package>=1.2  # about 20 MB"."""
    found = (_LINE.match(line) for line in file.read_text(encoding="utf-8").splitlines())
    return [Requirement(m["name"], m["lowest"], int(m["megabytes"])) for m in found if m]


def affordableDevice(wish: str) -> str:
    """`wish`, but the CPU for "auto" where PyTorch is there without what else a graphics card needs: it has not been
    asked for, so nothing is installed for it."""
    isIncomplete = importlib.util.find_spec("torch") is not None and missingRequirements(wantsCard=True)
    return "cpu" if wish == "auto" and isIncomplete else wish


def _ensurePyTorch() -> None:
    if importlib.util.find_spec("torch") is not None:
        return
    try:
        import PyTorchUtils  # of another extension, which chooses the build of PyTorch that fits the driver
    except ImportError:
        raise SpineError(
            _(
                "a graphics card needs Slicer's extension PyTorch: install it in the Extensions Manager and restart "
                "Slicer, or choose the CPU under Advanced."
            )
        ) from None
    if slicer.app.testingEnabled() or PyTorchUtils.PyTorchUtilsLogic().installTorch(askConfirmation=True) is None:
        raise SpineError(_("PyTorch was not installed: try again, or choose the CPU under Advanced."))


def _install(requirements: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        # No package of Slicer or of another extension may change: pip fails rather than that.
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text("\n".join(_installedVersions(requirements)), encoding="utf-8")
        try:
            _pipInstall(requirements, str(constraints))
        except (subprocess.CalledProcessError, RuntimeError) as error:
            raise SpineError(
                _(
                    "{names} could not be installed ({reason}): check the internet connection and the proxy; "
                    "Slicer's log says more."
                ).format(names=", ".join(requirements), reason=error)
            ) from None
    importlib.invalidate_caches()


def _pipInstall(requirements: list[str], constraints: str) -> None:
    try:
        from slicer.packaging import pip_ensure
    except ImportError:  # Slicer 5.10 and older
        slicer.util.pip_install([*requirements, "-c", constraints])
    else:
        pip_ensure(requirements, constraints=constraints, prompt_install=False, requester="SpineSegmentation")


def _installedVersions(requirements: list[str]) -> list[str]:
    """A line for pip that keeps each installed package at its version, but those that are to be installed."""
    wanted = {_plain(re.split(r"[<>=]", requirement)[0]) for requirement in requirements}
    installed = {_plain(each.metadata["Name"]): each.version for each in distributions() if each.metadata["Name"]}
    return [f"{name}=={number}" for name, number in sorted(installed.items()) if name not in wanted]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.match(r"\d+(?:\.\d+)*", text).group().split("."))
