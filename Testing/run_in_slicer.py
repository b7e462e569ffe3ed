"""Everything about the extension that only a real 3D Slicer can prove, as a table and an exit code.

    python Testing/run_in_slicer.py --slicer /path/to/Slicer [--module FOLDER] [--screenshots FOLDER] [--logs FOLDER]
        [--only NAME ...]

The module is that of this checkout, or with `--module` that of an installed extension, in its folder
lib/Slicer-5.10/qt-scripted-modules. Needs psutil, onnx, and OpenVINO in Slicer's own Python
(PythonSlicer -m pip install openvino). Without a display, xvfb-run is used where it is installed. Exit code: 0
everything passed, 1 something failed, 2 Slicer cannot be run.
"""

import argparse
import json
import os
import re
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from watched_process import FinishedProcess, run_watched

PROJECT = Path(__file__).resolve().parents[1]
sys.path.append(str(PROJECT / "Testing" / "inference"))
MODULE = PROJECT / "SpineSegmentation"
SCRIPTS = PROJECT / "Testing" / "slicer_scripts"
TIME_LIMIT_S = 900
README_EXAMPLE = r"```python\n(from SpineInference\.options .*?)```\s+```sh\nSlicer (--no-main-window [^\n]*)\n```"


@dataclass
class Slicer:
    """The application under test, and where it leaves its logs and pictures."""

    executable: Path
    logs: Path
    screenshots: Path | None
    wrapper: list[str]
    module: Path = MODULE
    """The folder of SpineSegmentation.py."""

    def start(self, name: str, *arguments: str, kill_at: Path | None = None) -> FinishedProcess:
        """Run Slicer with the module to its end, in a folder of its own. Its log is NAME.log."""
        command = [*self.wrapper, self.executable, "--no-splash", "--disable-settings", "--ignore-slicerrc"]
        command += ["--additional-module-paths", self.module, *arguments]
        return run_watched(command, self.logs / f"{name}.log", self.folder(name), TIME_LIMIT_S, kill_at)

    def folder(self, name: str) -> Path:
        """The folder for the files of one check."""
        folder = self.logs / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def script(self, name: str, *arguments: str, script: str | None = None, **values: str) -> "CheckResult":
        """Run one of the scripts, which gets `values`; what it has reported.

        Without --testing, in which Slicer leaves when a script has come to its end, and answers its own questions.
        """
        report = self.folder(name) / "report.json"
        report.unlink(missing_ok=True)
        passed = json.dumps({"report": str(report), "folder": str(self.folder(name)), **values})
        finished = self.start(name, *arguments, "--python-script", str(SCRIPTS / f"{script or name}.py"), passed)
        result = checked(finished)
        if not report.is_file():
            result.failures.append("no report")
            return result
        reported = json.loads(report.read_text("utf-8"))
        result.facts |= reported["facts"]
        if reported["failure"]:
            result.failures.insert(0, reported["failure"].strip().splitlines()[-1])
        return result


@dataclass
class CheckResult:
    """What one check found; it passed if there are no failures."""

    seconds: float
    facts: dict[str, object] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def checked(finished: FinishedProcess) -> CheckResult:
    """What every run of Slicer has to fulfil."""
    failures = []
    if finished.exit_code is None:
        failures.append(f"not finished after {TIME_LIMIT_S} s")
    elif finished.exit_code:
        failures.append(f"exit code {finished.exit_code}")
    if tracebacks := finished.output.count("Traceback (most recent call last)"):
        failures.append(f"{tracebacks} traceback(s) in the log")
    failures += [f"left behind: {line}" for line in finished.surviving_processes]
    failures += [f"left in the temporary folder: {name}" for name in finished.remaining_files]
    return CheckResult(finished.seconds, {}, failures)


def load_module(slicer: Slicer) -> CheckResult:
    return slicer.script("load_module", "--no-main-window", module=str(slicer.module))


def self_test(slicer: Slicer) -> CheckResult:
    return _unit_test(slicer, "self_test", [slicer.module], "SpineSegmentation")


def self_test_without_window(slicer: Slicer) -> CheckResult:
    return _unit_test(slicer, "self_test_without_window", [slicer.module], "SpineSegmentation", "--no-main-window")


def runtime_in_slicers_python(slicer: Slicer) -> CheckResult:
    folders = [slicer.module, PROJECT / "Testing"]
    return _unit_test(slicer, "runtime_in_slicers_python", folders, "SlicerPythonTest", "--no-main-window")


def hand_use(slicer: Slicer) -> CheckResult:
    return slicer.script("hand_use", **_pictures(slicer))


def sample_data(slicer: Slicer) -> CheckResult:
    """The download of the real sample scan, from a web server on this computer."""
    from web_server import serving

    web = slicer.folder("sample_data") / "web"
    web.mkdir(exist_ok=True)
    shutil.copy(slicer.module / "Resources" / "SampleData" / "SpinePhantom.nrrd", web / "scan.nrrd")
    with serving(web) as address:
        return slicer.script("sample_data", web=address)


def _with_model(name: str, slicer: Slicer, script: str | None = None, **values: str) -> CheckResult:
    """A script that imports the model that goes by brightness; it is called as the check, or `script`."""
    model = model_of_several_labels(slicer.folder(name))
    return slicer.script(name, script=script, model=model, **_pictures(slicer), **values)


def headless_use(slicer: Slicer) -> CheckResult:
    return slicer.script("headless_use", "--no-main-window")


def readme_example(slicer: Slicer) -> CheckResult:
    """The script and the command of the README, character by character, in a folder with a scan of that name."""
    [(script, command)] = re.findall(README_EXAMPLE, (PROJECT / "README.md").read_text("utf-8"), re.S)
    folder = slicer.folder("readme_example")
    (folder / "segment.py").write_text(script, "utf-8")
    shutil.copy(slicer.module / "Resources" / "SampleData" / "SpinePhantom.nrrd", folder / "scan.nrrd")
    result = checked(slicer.start("readme_example", *shlex.split(command)))
    result.facts["files"] = sorted(path.name for path in folder.glob("scan.*"))
    if not (folder / "scan.seg.nrrd").is_file():
        result.failures.append("no scan.seg.nrrd")
    return result


def quit_during_run(slicer: Slicer) -> CheckResult:
    return slicer.script("quit_during_run", script="leave_during_run")


def crash_during_run(slicer: Slicer) -> CheckResult:
    """Killed from outside, Slicer cannot clean up; but the worker has to notice, to remove the scan and to end."""
    return _crash(slicer, "crash_during_run", "leave_during_run")


def crash_while_measuring(slicer: Slicer) -> CheckResult:
    """The same while a corrected result is measured again."""
    model = model_of_several_labels(slicer.folder("crash_while_measuring"))
    return _crash(slicer, "crash_while_measuring", "leave_while_measuring", model=model)


def _crash(slicer: Slicer, name: str, script: str, **values: str) -> CheckResult:
    """Run a script that writes the number of its process into a file when Slicer is to be killed."""
    kill_at = slicer.folder(name) / "kill_now"
    kill_at.unlink(missing_ok=True)
    passed = json.dumps({"report": str(slicer.folder(name) / "report.json"), "kill_at": str(kill_at), **values})
    finished = slicer.start(name, "--python-script", str(SCRIPTS / f"{script}.py"), passed, kill_at=kill_at)
    killed = kill_at.is_file() and finished.exit_code not in (None, 0)
    failures = [] if killed else ["Slicer could not be killed in the middle of its work"]
    left = [*finished.surviving_processes, *finished.remaining_files]
    return CheckResult(finished.seconds, {}, failures + [f"left behind: {each}" for each in left])


CHECKS: dict[str, Callable[[Slicer], CheckResult]] = {
    check.__name__: check
    for check in (
        load_module,
        self_test,
        self_test_without_window,
        runtime_in_slicers_python,
        hand_use,
        sample_data,
        headless_use,
        readme_example,
        quit_during_run,
        crash_during_run,
        crash_while_measuring,
    )
}
for _name in (
    "several_labels",
    "two_patients",
    "several_scans",
    "training_cases",
    "single_slice",
    "surfaces",
    "segment_statistics",
    "spine_measures",
    "interruptions",
):
    CHECKS[_name] = partial(_with_model, _name)
for _percent in ("100", "125", "150"):
    _name = f"panel_sizes_{_percent}"
    CHECKS[_name] = partial(_with_model, _name, script="panel_sizes", percent=_percent)


def model_of_several_labels(folder: Path) -> str:
    """Write a model that tells discs, canal and vertebral bodies by their brightness; the path of its zip."""
    from small_packages import brightness_model, contents, fields, write_package

    looks = {
        "Disc": ((60, 160, 220), "85756007", "Tissue"),
        "Canal": ((240, 240, 120), "85756007", "Tissue"),
        "Body": ((220, 120, 60), "51282000", "Vertebra"),
    }
    labels = [
        {"value": value, "name": name, "colour": list(colour), "code": code, "meaning": meaning}
        for value, (name, (colour, code, meaning)) in enumerate(looks.items(), start=1)
    ]
    manifest = fields("by-brightness", title="By brightness", labels=labels, output={"activation": "softmax"})
    manifest["input"] |= {"intensity": {"rule": "minmax", "low": 0.0, "high": 100.0}}
    # What is brighter than 0.2, 0.45 and 0.75 of the way from the darkest to the brightest voxel.
    model = brightness_model((0.0, 16.0, 32.0, 48.0), (0.0, -3.2, -10.4, -22.4))
    package = write_package(folder / "model", manifest, contents() | {"model.onnx": model.SerializeToString()})
    return shutil.make_archive(str(package), "zip", package)


def _pictures(slicer: Slicer) -> dict[str, str]:
    return {"screenshots": str(slicer.screenshots)} if slicer.screenshots else {}


def _unit_test(slicer: Slicer, name: str, folders: list[Path], test: str, *arguments: str) -> CheckResult:
    call = f"import slicer.testing; slicer.testing.runUnitTest({[str(folder) for folder in folders]!r}, {test!r})"
    finished = slicer.start(name, "--testing", *arguments, "--python-code", call)
    result = checked(finished)
    if ran := re.search(r"^Ran (\d+) tests?", finished.output, re.M):
        result.facts["tests"] = int(ran.group(1))
    else:
        result.failures.append("no test has run")
    for kind in ("skipped", "failures", "errors"):
        if number := re.search(rf"^(?:OK|FAILED) \(.*{kind}=(\d+)", finished.output, re.M):
            result.failures.append(f"{kind}: {number.group(1)}")
    result.failures += re.findall(r"^(?:FAIL|ERROR): \S+", finished.output, re.M)
    return result


def _display_wrapper() -> list[str]:
    """What has to stand before the command so that Slicer can open a window."""
    if sys.platform != "linux" or os.environ.get("DISPLAY"):
        return []
    program = shutil.which("xvfb-run")
    return [program, "-a", "-s", "-screen 0 1920x1080x24"] if program else []


def main() -> int:
    """Run the checks and print the table; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slicer", type=Path, required=True, help="the executable of 3D Slicer")
    parser.add_argument(
        "--module", type=Path, default=MODULE, help="the folder of SpineSegmentation.py (default: here)"
    )
    parser.add_argument("--screenshots", type=Path, help="folder for pictures of the window")
    parser.add_argument("--logs", type=Path, help="folder for logs and reports (default: one that is deleted)")
    parser.add_argument("--only", nargs="+", choices=CHECKS, metavar="NAME", help=f"some of {', '.join(CHECKS)}")
    options = parser.parse_args()
    executable = shutil.which(options.slicer)
    if executable is None:
        print(f"{options.slicer} cannot be run: give the path of the program Slicer.", file=sys.stderr)
        return 2
    if not (options.module / "SpineSegmentation.py").is_file():
        print(f"{options.module} holds no SpineSegmentation.py: give the folder that does.", file=sys.stderr)
        return 2
    sys.stdout.reconfigure(errors="replace")  # logs may hold what the console of Windows cannot show
    for folder in filter(None, (options.screenshots, options.logs)):
        folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="run-in-slicer-", ignore_cleanup_errors=True) as temporary:
        logs = (options.logs or Path(temporary)).resolve()
        screenshots = options.screenshots and options.screenshots.resolve()
        slicer = Slicer(Path(executable).resolve(), logs, screenshots, _display_wrapper(), options.module.resolve())
        failed = [name for name in options.only or CHECKS if not _carry_out(slicer, name)]
    print(f"\n{'failed: ' + ', '.join(failed) if failed else 'everything passed'}")
    return 1 if failed else 0


def _carry_out(slicer: Slicer, name: str) -> bool:
    """Run one check and print its rows; whether it passed."""
    result = CHECKS[name](slicer)
    print(f"{name:<28}{'FAILED' if result.failures else 'passed':<8}{result.seconds:6.1f} s", flush=True)
    for key, value in result.facts.items():
        print(f"{'':<28}{key}: {value}")
    for failure in result.failures:
        print(f"{'':<28}! {failure}")
    if result.failures:
        lines = (slicer.logs / f"{name}.log").read_text("utf-8", errors="replace").splitlines()
        print("\n".join(f"{'':<30}| {line[:200]}" for line in lines[-25:]), flush=True)
    return not result.failures


if __name__ == "__main__":
    sys.exit(main())
