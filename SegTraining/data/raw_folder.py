"""A data set in nnU-Net's raw layout that no configuration describes: what its folder says about its labels."""

from pathlib import Path

from SpineInference.anatomy import LEVELS
from SpineInference.errors import SpineError

from ..config.data import Dataset, Label
from .description import read_description

_SACRUM_AND_COCCYX = (LEVELS["S1"].label, 27)
"""They have no vertebral body in the models' sense: their voxels count neither for nor against."""


def describe_raw_folder(folder: Path, labels: tuple[Label, ...] = (Label(),)) -> Dataset:
    """How the labels in `folder` are to be read. Raises SpineError where it is no data set in nnU-Net's raw layout.

    What lies beyond the labelled levels is not judged. Models with a single label without values are taken for models
    of vertebral bodies; for them, where `dataset.json` names a spinal canal, the references are whole vertebrae, of
    which only what lies in front of the canal is a body, and other structures are background.
    """
    if not (folder / "imagesTr").is_dir():
        raise SpineError(f'"{folder}" has no folder imagesTr: give a data set in nnU-Net\'s raw layout.')
    dataset = Dataset(name=folder.name, unlabelled_above="ignore")
    if len(labels) > 1 or labels[0].values:
        return dataset
    description = read_description(folder)
    names = {} if description is None else description.names
    canal = next((value for value, name in names.items() if "canal" in name.lower()), None)
    if (folder / "instancesTr").is_dir():
        return dataset.model_copy(update={"body_in_front_of": canal, "ignore_labels": _SACRUM_AND_COCCYX})
    vertebrae = {value for value, name in names.items() if "vertebra" in name.lower()}
    others = () if canal is None else {canal, *names} - vertebrae if vertebrae else {canal}
    background = tuple(sorted({*others} - {0}))
    return dataset.model_copy(update={"body_in_front_of": canal, "background_labels": background})
