"""Nothing is sent anywhere: libraries that keep records of their use for their makers are told not to."""

import os
import subprocess
import sys
from pathlib import Path

from small_packages import write_package

OPEN_NETWORK = """
import sys
from pathlib import Path
from SpineInference.engines.devices import choose_device
from SpineInference.engines import open_engine
from SpineInference.models.model_package import ModelPackage

print(open_engine(ModelPackage.open(Path(sys.argv[1])), choose_device("cpu")).describe())
"""


def test_opening_a_network_leaves_no_record_of_use(tmp_path: Path):
    """onnxruntime writes its record, and the number that it gives this computer, into the home before it sends them."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    environment |= {name: str(home) for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA")}
    command = [sys.executable, "-c", OPEN_NETWORK, str(write_package(tmp_path / "model"))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert "onnxruntime" in done.stdout, done.stderr
    assert not [path for path in home.rglob("*") if path.is_file()]
