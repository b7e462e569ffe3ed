"""A data set in nnU-Net's raw layout that no configuration describes: what its folder says about its labels."""

from pathlib import Path
from typing import Any

from SpineInference.anatomy import LEVELS, MOST_NUMBERED, VERTEBRA_CODE, numbered
from SpineInference.errors import SpineError

from ..config.data import Dataset, Label
from .description import read_description
from .structures import has_no_body, is_vertebra, values_by_label, words_of

_SACRUM_AND_COCCYX = (LEVELS["S1"].label, 27)
"""They have no vertebral body in the models' sense: their voxels count neither for nor against."""
_INSTANCES = (*range(1, 29), *(numbered(number).label for number in range(1, MOST_NUMBERED + 1)))
"""The values of single bodies: those of levels, and of bodies that are only numbered."""


def describe_raw_folder(folder: Path, labels: tuple[Label, ...] = (Label(),)) -> Dataset:
    """How the labels in `folder` are to be read. Raises SpineError where it is no data set in nnU-Net's raw layout.

    What lies beyond the labelled levels is not judged. What `dataset.json` calls vertebrae, one value for all or one
    for each, are those of the models, and what it calls otherwise is background unless the models know it too. Models
    with a single label without values are taken for models of vertebral bodies; for them, where `dataset.json` names a
    spinal canal, the references are whole vertebrae, of which only what lies in front of the canal is a body.
    """
    if not (folder / "imagesTr").is_dir():
        raise SpineError(f'"{folder}" has no folder imagesTr: give a data set in nnU-Net\'s raw layout.')
    dataset = Dataset(name=folder.name, unlabelled_above="ignore")
    description = read_description(folder)
    names = {} if description is None else {value: name for value, name in description.names.items() if value}
    instances = (folder / "instancesTr").is_dir()
    # A saved case has a body for S1; what others call S1 is the sacrum.
    no_body = () if description is not None and description.is_own else _SACRUM_AND_COCCYX
    if len(labels) > 1 or labels[0].values:
        return dataset.model_copy(update=_of_several(labels, names, instances, no_body))
    canal = next((value for value, name in names.items() if "canal" in words_of(name)), None)
    if instances:
        return dataset.model_copy(update={"body_in_front_of": canal, "ignore_labels": no_body})
    ignored = {value for value, name in names.items() if has_no_body(name)}
    others = {value for value, name in names.items() if not is_vertebra(name)} if _names_vertebrae(names) else {canal}
    rules = {"body_in_front_of": canal, "background_labels": tuple(sorted(others - ignored - {None}))}
    return dataset.model_copy(update=rules | ({"ignore_labels": tuple(sorted(ignored))} if ignored else {}))


def _names_vertebrae(names: dict[int, str]) -> bool:
    return any(is_vertebra(name) for name in names.values())


def _of_several(
    labels: tuple[Label, ...], names: dict[int, str], instances: bool, no_body: tuple[int, ...]
) -> dict[str, Any]:
    """The rules for models with several labels, or with values of their own; instances of `no_body` do not count."""
    bodies = [label.name for label in labels if label.code == VERTEBRA_CODE[0]]
    others = tuple(label.name for label in labels if label.name not in bodies)
    if instances and len(bodies) == 1:
        values = tuple(value for value in _INSTANCES if value not in no_body)
        return {"label_values": {bodies[0]: values}, "ignore_labels": no_body, "unlabelled": others}
    values = values_by_label(labels, names)
    if not values and names and len(bodies) == 1:  # whatever they are called, models of bodies take them for those
        return {"label_values": {bodies[0]: tuple(names)}, "unlabelled": others}
    if not values:
        return {}
    meant = {value for own in values.values() for value in own}
    unlabelled = tuple(name for name, own in values.items() if not own)
    rules = {"unlabelled": unlabelled, "background_labels": tuple(sorted(set(names) - meant))}
    canal = next((value for value, name in names.items() if "canal" in words_of(name)), None)
    whole = not any("body" in words_of(name) for name in names.values())
    if canal is not None and whole and len(bodies) == 1 and "body" in words_of(bodies[0]):
        rules["body_in_front_of"] = canal
    return {"label_values": {name: own for name, own in values.items() if own}, **rules}
