"""Data sets that show more than they label: what they teach, and what they leave open."""

import numpy as np
import pytest
import torch
from tiny_training import config

from SegTraining.config.data import Dataset, Label
from SegTraining.data.targets import IGNORE, PARTLY_LABELLED, is_known, is_target, training_target
from SegTraining.export.package import package
from SegTraining.training.losses import cross_entropy_loss, soft_dice_loss, two_sided_dice_loss
from SegTraining.training.module import start_network
from SpineInference.anatomy import DISC_CODE
from SpineInference.errors import SpineError
from SpineInference.models.weights import read_weights

BODY = Label(values=(1,))
DISC = Label(name="Disc", code=DISC_CODE[0], meaning=DISC_CODE[1], values=(2,))
NO_DISC = PARTLY_LABELLED + 0b10
"""Background that says nothing about the second label."""
SURE = 50.0


def test_background_says_nothing_about_what_nobody_labelled():
    labels = np.array([0, 1, 9], np.uint8).reshape(3, 1, 1)
    dataset = Dataset(name="d", unlabelled=("Disc",), ignore_labels=(9,))
    target = training_target(labels, (1, 1, 1), dataset, (BODY, DISC)).ravel()
    assert target.tolist() == [NO_DISC, 1, IGNORE]
    assert is_target(target).tolist() == [False, True, False]
    assert is_known(target, 1).tolist() == [True, True, False] and is_known(target, 2).tolist() == [False, True, False]


@pytest.mark.parametrize("loss", [soft_dice_loss, cross_entropy_loss, two_sided_dice_loss])
def test_a_loss_hears_only_of_what_is_known(loss):
    rows = (1, 1000, 1)
    target = torch.tensor([[[NO_DISC, 1, 0, 2, IGNORE]]], dtype=torch.uint8).repeat(rows)
    logits = SURE * torch.tensor([[[[-1.0, 1, -1, -1, 0]], [[0.0, -1, -1, 1, 0]]]]).repeat(1, *rows)
    logits.requires_grad_()
    value = loss(logits, target, True)
    value.backward()
    assert value.item() == pytest.approx(0, abs=1e-3)
    (body, disc) = logits.grad[0, :, 0]
    assert disc[0] == disc[4] == body[4] == 0  # neither what nobody labelled nor what is ignored
    for place, wrong in ((0, 0), (1, 1), (2, 1), (3, 0)):  # a body is no disc either
        worse = logits.detach().clone()
        worse[0, wrong, :, place] *= -1
        assert loss(worse, target, True) > value + 0.1


def test_where_whole_vertebrae_are_labelled_discs_stay(folders):
    labels = np.zeros((6, 8, 1), np.uint8)
    labels[:3, 1:7], labels[3, 1:4], labels[:, 4] = 1, 2, 3  # a body with its arch, a disc, and the canal
    dataset = Dataset(name="d", body_in_front_of=3, unlabelled_above="ignore")
    canal = Label(name="Canal", code="61853006", meaning="Spinal canal", values=(3,))
    target = training_target(labels, (1, 1, 1), dataset, (BODY, DISC, canal))[:, :, 0]
    assert (target[:3, 1:4] == 1).all() and (target[3, 1:4] == 2).all() and (target[:, 4] == 3).all()
    assert (target[:, 5:] == 0).all()


def test_each_label_is_found_by_itself():
    labels = [label.model_dump() for label in (BODY, DISC)]
    whole = config(model_info={**config().model_info.model_dump(), "labels": labels})
    assert (whole.activation, whole.classes) == ("softmax", 3)
    data = whole.data.model_dump()
    data["datasets"][0]["unlabelled"] = ["Disc"]
    partly = config(model_info=whole.model_info.model_dump(), data=data)
    assert (partly.activation, partly.classes) == ("sigmoid", 2)
    data["datasets"][0]["unlabelled"] = ["Disk"]
    with pytest.raises((ValueError, SpineError), match="Disk"):
        config(model_info=whole.model_info.model_dump(), data=data)


def test_a_model_learns_a_further_label(whole_run, tmp_path):
    start = package(whole_run, tmp_path / "package")
    old = {name: torch.from_numpy(array) for name, array in read_weights(start).items()}
    info = config().model_info.model_dump()
    info["labels"] = [DISC.model_dump(), {**info["labels"][0], "values": (1,)}]
    more = config(model_info=info, each_label_alone=True, fine_tuning={"package": str(start.path)})
    new = start_network(more).state_dict()
    grown = [name for name in new if new[name].shape != old[name].shape]
    assert grown and all(len(new[name]) == 2 for name in grown)
    for name, tensor in new.items():
        taken_over = tensor[1:] if name in grown else tensor
        assert torch.equal(taken_over, old[name].to(tensor.dtype)), name
