"""The options of `spine-segment` for the post-processing: those of the panel, under the same names."""

import argparse
from dataclasses import replace

from ..specs import PostprocessingSpec

_FIELDS = {
    "remove_below": "min_island_mm3",
    "smooth": "smooth_mm",
    "fill_holes": "fill_holes",
    "interpolate": "interpolate_slices",
    "dilate": "dilate_mm",
}


def add_postprocessing(parser: argparse.ArgumentParser) -> None:
    """Give `parser` the options; each is None where it is not used."""
    group = parser.add_argument_group("post-processing", "What is not given is as the model says (see --list-models).")
    group.add_argument("--remove-below", type=float, metavar="MM3", help="remove separate parts smaller than this")
    group.add_argument(
        "--smooth", type=float, metavar="MM", help="smooth bumps and dents up to about this size; 0: none"
    )
    group.add_argument(
        "--fill-holes", action=argparse.BooleanOptionalAction, help="fill what is enclosed by a vertebral body"
    )
    group.add_argument(
        "--interpolate",
        action=argparse.BooleanOptionalAction,
        help="fill slices without a result between two that have one, up to 12 mm",
    )
    group.add_argument("--dilate", type=float, metavar="MM", help="grow segments by this much, never into each other")


def postprocessing_of(arguments: argparse.Namespace, model: str) -> PostprocessingSpec | None:
    """The post-processing of the set `model` with what `arguments` change; None where they change nothing.

    Raises SpineError where there is no such model.
    """
    asked = {field: getattr(arguments, name) for name, field in _FIELDS.items()}
    changes = {field: value for field, value in asked.items() if value is not None}
    if not changes:
        return None
    if "min_island_mm3" in changes:
        changes["min_island_share"] = 0.0  # what a person asks for is the limit, however small the bodies are
    from ..models.catalog import open_set

    return replace(open_set(model).recipe.postprocessing, **changes)
