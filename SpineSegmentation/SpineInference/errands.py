"""What takes a while besides segmenting: another worker, so that no window ever waits for it.

    python -m SpineInference.errands

reads one errand as a line of JSON and answers in the words of `worker`, with these "result" events:

    download   name: the set that is now complete
    import     name: the set that was made of the file or folder
    devices    automatic: what "auto" takes; others: what else can be chosen; each a dict of wish, name and reason
"""

import sys
from dataclasses import dataclass
from typing import Any, Literal

from .models.schema import parse_json
from .monitor import Monitor
from .worker import serve


@dataclass(frozen=True)
class Errand:
    """`model`: the name of the set to download, or the path of the package or packages to import."""

    task: Literal["download", "import", "devices"]
    model: str = ""


def run(line: bytes, monitor: Monitor) -> dict[str, Any]:
    """Run the errand in one line of JSON. Raises SpineError and Cancelled."""
    errand = parse_json(line, Errand, "the errand")
    if errand.task == "devices":
        return _devices()
    from .models import catalog

    if errand.task == "download":
        return {"name": catalog.download(errand.model, monitor).name}
    monitor.progress("import", 0, 1)
    return {"name": catalog.import_model(errand.model).name}


def _devices() -> dict[str, Any]:
    from .devices import choose_device, list_devices

    def describe(device: Any) -> dict[str, str]:
        return {"wish": str(device), "name": device.name, "reason": device.reason}

    return {"automatic": describe(choose_device("auto")), "others": [describe(device) for device in list_devices()]}


if __name__ == "__main__":
    sys.exit(serve(run, keep_alive=False))
