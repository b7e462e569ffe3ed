"""Nothing is sent anywhere: libraries that keep records of their use for their makers are told not to."""

import os
import subprocess
import sys
from pathlib import Path

from small_packages import write_package

OPEN_NETWORK = """
import sys
from pathlib import Path
from SpineInference.engines.onnx_engine import OnnxEngine
from SpineInference.engines.openvino_engine import OpenVinoEngine
from SpineInference.models.model_package import ModelPackage

package = ModelPackage.open(Path(sys.argv[1]))
for engine in (OpenVinoEngine, OnnxEngine):
    print(engine(package).describe())
"""


def test_opening_a_network_leaves_no_record_of_use(tmp_path: Path):
    """Both write a record, and the number that they give this computer, into the home before they send them."""
    home = tmp_path / "home"
    home.mkdir()
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("ORT_", "XDG_"))}
    environment |= {name: str(home) for name in ("HOME", "USERPROFILE", "LOCALAPPDATA", "APPDATA")}
    command = [sys.executable, "-c", OPEN_NETWORK, str(write_package(tmp_path / "model"))]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60)
    assert "OpenVINO" in done.stdout and "onnxruntime" in done.stdout, done.stderr
    assert not [path for path in home.rglob("*") if path.is_file()]
