"""What `spine-segment` does with models besides segmenting with them: it lists, verifies and downloads them."""

from ..errors import SpineError
from ..models import catalog
from .display import Display


def list_models() -> None:
    """One paragraph for each set of models."""
    models = catalog.list_sets()
    if not models:
        print("No models are installed: give the file of a model package with --model.")
    for model in models:
        origin = "to be downloaded first" if model.missing_bytes else model.origin
        print(f"{model.name}\n    {model.title} ({model.modality}, {model.anatomy}; {origin})\n    {model.licence}")


def verify_models(display: Display) -> bool:
    """Compare every file of every installed set with its manifest, and say what is wrong; whether nothing is."""
    all_sound = True
    for model in catalog.list_sets():
        if model.missing_bytes:
            display.line(f"{model.name}: not on this computer")
            continue
        try:
            problems = catalog.verify(model.name)
        except SpineError as error:
            problems = [str(error)]
        for problem in problems:
            display.error(f"{model.name}: {problem}")
        if not problems:
            display.line(f"{model.name}: sound")
        all_sound = all_sound and not problems
    return all_sound


def download_model(name: str, display: Display) -> None:
    """Download what is missing of a set of the catalog. Raises SpineError and Cancelled."""
    with display.stoppable(), display.scan(name) as monitor:
        catalog.download(name, monitor)
    display.line(f"{name}: downloaded and sound")
