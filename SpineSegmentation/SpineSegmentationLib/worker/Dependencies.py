"""The Python packages that the worker needs and Slicer lacks: installed without changing any installed package."""

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

_PACKAGE = re.compile(r"(?P<name>[\w.-]+)>=(?P<lowest>[\d.]+)[\s,#]*about (?P<megabytes>\d+) MB")


@dataclass(frozen=True)
class Requirement:
    """One line of a requirements file; `instead`: what does as well."""

    name: str
    lowest: str
    megabytes: int
    instead: "Requirement | None" = None

    def __str__(self) -> str:
        return f"{self.name}>={self.lowest}"

    def isInstalled(self) -> bool:
        if self.instead is not None and self.instead.isInstalled():
            return True
        try:
            return _versionTuple(version(self.name)) >= _versionTuple(self.lowest)
        except PackageNotFoundError:
            return False

    def described(self) -> str:
        text = _("{name}, about {megabytes} MB").format(name=self.name, megabytes=self.megabytes)
        if self.instead is None:
            return text
        return _("{package} (where it cannot be installed: {other})").format(
            package=text, other=self.instead.described()
        )


def ensureInstalled(device: str, confirm: Callable[[str], bool]) -> None:
    """Install what segmenting on `device` needs and is missing, if `confirm(question)` says so.

    PyTorch is installed only for a GPU that was asked for. Raises SpineError if the user declines or the installation
    fails. In Slicer's testing mode nothing is installed.
    """
    needsGpu = device not in ("auto", "cpu")
    if needsGpu:
        _ensurePyTorch()
    missing = missingRequirements(needsGpu)
    if not missing or slicer.app.testingEnabled():
        return
    names = "\n".join(each.described() for each in missing)
    question = _(
        "Segmenting needs these Python packages, which are not installed yet:\n\n{names}\n\n"
        "Download and install them now? Packages that are already installed stay as they are."
    ).format(names=names)
    if not confirm(question):
        raise SpineError(_("nothing was segmented, because a package that it needs was not to be installed."))
    try:
        _install([str(each) for each in missing])
    except SpineError:
        if all(each.instead is None for each in missing):
            raise
        _install([str(each.instead or each) for each in missing])


def missingRequirements(needsGpu: bool) -> list[Requirement]:
    """The requirements that are not installed; with those of a GPU if `needsGpu`."""
    files = [REQUIREMENTS, GPU_REQUIREMENTS] if needsGpu else [REQUIREMENTS]
    return [each for file in files for each in readRequirements(file) if not each.isInstalled()]


def readRequirements(file: Path) -> list[Requirement]:
    """The requirements in a file: lines such as "package>=1.2  # about 60 MB, or other>=3, about 20 MB"."""
    requirements = []
    for line in file.read_text(encoding="utf-8").splitlines():
        requirement = None
        for found in [] if line.startswith("#") else reversed(list(_PACKAGE.finditer(line))):
            requirement = Requirement(found["name"], found["lowest"], int(found["megabytes"]), requirement)
        requirements += [] if requirement is None else [requirement]
    return requirements


def availableDevice(device: str) -> str:
    """`device`, but "cpu" for "auto" where PyTorch is installed without the other requirements of a GPU.

    Nothing is installed for a GPU that nobody has asked for.
    """
    isIncomplete = importlib.util.find_spec("torch") is not None and missingRequirements(needsGpu=True)
    return "cpu" if device == "auto" and isIncomplete else device


def _ensurePyTorch() -> None:
    if importlib.util.find_spec("torch") is not None:
        return
    try:
        import PyTorchUtils  # Slicer's PyTorch extension chooses the build that fits the driver
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
        # No package of Slicer or of another extension may change: rather let pip fail.
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
    """Constraints that keep all packages but the required ones at their installed version."""
    required = {_normalized(re.split(r"[<>=]", requirement)[0]) for requirement in requirements}
    installed = {_normalized(each.metadata["Name"]): each.version for each in distributions() if each.metadata["Name"]}
    return [f"{name}=={number}" for name, number in sorted(installed.items()) if name not in required]


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _versionTuple(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.match(r"\d+(?:\.\d+)*", text).group().split("."))
