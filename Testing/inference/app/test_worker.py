"""The worker as its clients see it: real processes, ended in every way that a client can end them."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import SimpleITK as sitk

from SpineInference.app.requests import Request, to_json
from SpineInference.options import SegmentationOptions

POSIX = os.name == "posix"

# A run that starts a child of its own and keeps writing into a result folder until somebody ends it.
ENDLESS = """
import subprocess, sys, time
from SpineInference.files.result_folder import result_folder
from SpineInference.app import worker

def run(request, monitor):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    with result_folder(Path(request.output)) as folder:
        monitor.note(f"{child.pid}")
        for step in range(10**9):
            (folder / f"{step % 100}.bin").write_bytes(b"x" * 1000)
"""

# A run that does what it is told by the name of the model.
OBEDIENT = """
import os
from SpineInference.app import worker
from SpineInference.errors import SpineError
from SpineInference.files.result_folder import result_folder
from types import SimpleNamespace

def run(request, monitor):
    monitor.progress("network", 3, 10, "sagittal")
    print("a library talks")
    os.write(1, b"native code talks\\n")
    if request.options.model == "fails":
        raise SpineError("This sentence is for the user.")
    if request.options.model == "breaks":
        raise KeyError("deep inside")
    target = Path(request.output)
    with result_folder(target) as folder:
        (folder / "labels.txt").write_text("1")
    return SimpleNamespace(record_path=target / "labels.txt")
"""


class Client:
    """A worker process and its two pipes."""

    def __init__(self, code: str, *arguments: str, **options):
        script = f"from pathlib import Path\n{code}\nimport sys\nsys.exit(worker.main({list(arguments)!r}, run))"
        self.process = subprocess.Popen(
            [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, **options
        )

    def send(self, line: str) -> None:
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def event(self, kind: str) -> dict:
        """The next event of that kind; every line on the way must be JSON."""
        for line in self.process.stdout:
            event = json.loads(line)
            if event["event"] == kind:
                return event
        raise AssertionError(f'the worker ended without "{kind}"')


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    path = tmp_path / "scan.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5)), path)
    return path


@pytest.fixture
def request_line(scan: Path, tmp_path: Path):
    def make(model: str = "m", **changes) -> str:
        fields = {"input": str(scan), "output": str(tmp_path / "results" / "scan"), **changes}
        return to_json(Request(**fields, options=SegmentationOptions(model)))

    return make


def is_gone(pid: int) -> bool:
    """Whether the process is gone, or ends within two seconds. A zombie that nobody has waited for yet is gone."""
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def left_over(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "scan.nii.gz")


def started_endless(request_line, **options) -> tuple[Client, int]:
    """A worker in the middle of its work, and its child."""
    client = Client(ENDLESS, **options)
    client.send(request_line())
    return client, int(client.event("note")["text"])


def test_one_request_one_result(request_line, tmp_path):
    client = Client(OBEDIENT)
    client.send(request_line())
    progress = client.event("progress")
    assert (progress["stage"], progress["done"], progress["total"], progress["plane"]) == ("network", 3, 10, "sagittal")
    result = client.event("result")
    assert Path(result["record"]) == tmp_path / "results" / "scan" / "labels.txt"
    assert Path(result["record"]).read_text() == "1"
    assert client.process.stdout.read() == ""
    assert client.process.wait(10) == 0
    assert left_over(tmp_path) == ["results"] and left_over(tmp_path / "results") == ["scan"]


def test_last_line_counts_without_its_end(request_line):
    """A request that arrives with the end of the input is cancelled like any other, not passed over in silence."""
    client = Client(ENDLESS)
    client.process.stdin.write(request_line())
    client.process.stdin.close()
    assert client.event("cancelled")
    assert client.process.wait(10) != 0


def test_closing_standard_input_cancels_everything(request_line, tmp_path):
    client, child = started_endless(request_line)
    assert any(name.endswith(".tmp") for name in left_over(tmp_path))
    client.process.stdin.close()
    client.event("cancelled")
    code = client.process.wait(5)
    assert code == (-signal.SIGKILL if POSIX else 130)
    assert is_gone(child)
    assert left_over(tmp_path) == []


def test_cancel_removes_the_requests_own_folder(tmp_path):
    own = tmp_path / "exchange"
    own.mkdir()
    (own / "scan.nrrd").write_bytes(b"voxels")
    client = Client(ENDLESS)
    client.send(to_json(Request(str(own / "scan.nrrd"), str(own / "result"), own_folder=str(own))) + "\n")
    client.event("note")
    client.process.stdin.close()
    client.event("cancelled")
    client.process.wait(5)
    assert left_over(tmp_path) == []


def test_an_answer_that_nobody_hears_removes_it_too(tmp_path):
    """A Slicer that crashes at the very end of the work removes nothing itself."""
    own = tmp_path / "exchange"
    own.mkdir()
    (own / "scan.nrrd").write_bytes(b"voxels")
    client = Client(OBEDIENT.replace('    monitor.progress("network", 3, 10, "sagittal")\n', ""))
    client.process.stdout.close()
    client.send(to_json(Request(str(own / "scan.nrrd"), str(own / "result"), own_folder=str(own))) + "\n")
    client.process.wait(10)
    assert left_over(tmp_path) == []


@pytest.mark.skipif(not POSIX, reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP] if POSIX else [])
def test_signals_cancel_everything(request_line, tmp_path, number):
    client, child = started_endless(request_line)
    client.process.send_signal(number)
    client.event("cancelled")
    client.process.wait(5)
    assert is_gone(child)
    assert left_over(tmp_path) == []


@pytest.mark.skipif(not POSIX, reason="the parent of this test is started the POSIX way")
def test_killed_parent_takes_everything_along(request_line, tmp_path):
    # The parent hands its own standard output down, so that this test hears of the grandchildren.
    script = f"from pathlib import Path\n{ENDLESS}\nworker.main([], run)"
    parent_script = textwrap.dedent(f"""
        import subprocess, sys, time
        worker = subprocess.Popen([sys.executable, "-c", {script!r}], stdin=subprocess.PIPE)
        worker.stdin.write({request_line().encode()!r} + b"\\n")
        worker.stdin.flush()
        print('{{"event": "pid", "pid": %d}}' % worker.pid, flush=True)
        time.sleep(600)
    """)
    parent = subprocess.Popen([sys.executable, "-c", parent_script], stdout=subprocess.PIPE, text=True)
    worker = json.loads(parent.stdout.readline())["pid"]
    child = int(json.loads(parent.stdout.readline())["text"])
    assert os.getpgid(worker) == os.getpgid(child) == worker != os.getpgid(parent.pid)
    parent.kill()
    parent.wait(5)
    assert is_gone(worker) and is_gone(child)
    assert left_over(tmp_path) == []


def test_cancel_works_although_nobody_reads(request_line, tmp_path):
    talking = ENDLESS.replace("10**9):", "10**9):\n            monitor.note('x' * 1000)")
    client = Client(talking)
    client.send(request_line())
    child = int(client.event("note")["text"])
    time.sleep(0.3)  # by now the pipe is full and the worker is stuck in writing to it
    client.process.stdin.close()
    assert client.process.wait(5) != 0
    assert is_gone(child)
    assert left_over(tmp_path) == []


def test_cancel_when_nobody_listens_any_more(request_line, tmp_path):
    talking = ENDLESS.replace("10**9):", "10**9):\n            monitor.note('x')")
    client = Client(talking)
    client.send(request_line())
    child = int(client.event("note")["text"])
    client.process.stdout.close()
    assert client.process.wait(5) != 0
    assert is_gone(child)
    assert left_over(tmp_path) == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("{not json", "not valid JSON"),
        ("[1, 2]", "must be an object"),
        ('{"input": "a", "output": "b", "colour": "red"}', '"colour" is unknown'),
        ("\xff\xfe", "not valid JSON"),
    ],
)
def test_garbage_is_refused_in_one_sentence_and_at_once(line, says):
    client = Client(OBEDIENT)
    client.send(line)
    error = client.event("error")
    assert says in error["message"] and "\n" not in error["message"]
    assert error["details"] is None
    assert client.process.wait(10) == 2


def test_bad_request_imports_nothing_heavy(request_line):
    code = (
        "import atexit\nfrom SpineInference.app import worker\nfrom SpineInference.app.runner import Runner\n"
        "run = Runner().run\natexit.register(lambda: Path(sys.argv[1]).write_text(' '.join(sys.modules)))\n"
    )
    code = "import sys\nsys.argv.append(REPORT)\n" + code
    report = Path(json.loads(request_line())["input"]).with_name("modules.txt")
    client = Client(code.replace("REPORT", repr(str(report))))
    client.send(request_line().replace('"top_level": null', '"top_level": "C99"'))
    assert '"C99" is not a vertebral level' in client.event("error")["message"]
    assert client.process.wait(10) == 2
    modules = set(report.read_text().split())
    assert not modules & {"SimpleITK", "scipy", "torch", "onnxruntime", "matplotlib"}


FIRST_PROGRESS = """
import os
from SpineInference.app import worker
from SpineInference.app.runner import Runner

def run(request, monitor):
    told = monitor.progress
    def progress(*what):
        told(*what)
        os.write(2, " ".join(sys.modules).encode())
        os._exit(0)
    monitor.progress = progress
    return Runner().run(request, monitor)
"""


def test_first_progress_waits_for_nothing_heavy(request_line):
    client = Client(FIRST_PROGRESS, stderr=subprocess.PIPE)
    client.send(request_line())
    assert client.event("progress")["stage"] == "reading"
    modules = set(client.process.stderr.read().split())
    assert "SpineInference.app.runner" in modules and not modules & {"numpy", "SimpleITK", "scipy", "openvino"}


def test_unexpected_failure_carries_its_traceback(request_line, tmp_path):
    client = Client(OBEDIENT)
    client.send(request_line(model="breaks"))
    error = client.event("error")
    assert "KeyError" in error["message"] and "\n" not in error["message"]
    assert "in run" in error["details"]
    assert client.process.wait(10) == 1
    assert left_over(tmp_path) == []


def test_kept_alive_serves_until_input_closes(request_line, tmp_path):
    client = Client(OBEDIENT, "--keep-alive")
    outputs = [tmp_path / "Wirbelsäule 脊椎" / name for name in ("first", "zweite Aufnahme ö", "third")]
    for output in outputs:
        client.send(request_line(output=str(output)))
        assert Path(client.event("result")["record"]).parent == output
        client.send(request_line(model="fails"))
        assert client.event("error")["message"] == "This sentence is for the user."
        client.send("garbage")
        assert "not valid JSON" in client.event("error")["message"]
    client.process.stdin.close()
    assert client.process.wait(10) == 0
    assert all((output / "labels.txt").exists() for output in outputs)


def test_only_json_on_standard_output(request_line):
    client = Client(OBEDIENT, stderr=subprocess.PIPE)
    client.send(request_line())
    client.event("result")
    client.process.wait(10)
    errors = client.process.stderr.read()
    assert "a library talks" in errors and "native code talks" in errors
