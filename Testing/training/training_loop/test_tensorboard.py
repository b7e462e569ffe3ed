"""What TensorBoard shows of a run: the curves, what is taught and what is found."""

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from SegTraining.data.targets import IGNORE
from SegTraining.training.overlays import overlay

GREEN, RED, YELLOW = [0, 220, 0], [255, 40, 40], [255, 220, 0]


def test_curves_and_pictures_of_a_run(whole_run):
    events = EventAccumulator(str(whole_run / "tensorboard")).Reload()
    tags = events.Tags()
    assert {"loss", "validation_loss", "validation_dice", "learning_rate"} <= set(tags["scalars"])
    rates = [event.value for event in events.Scalars("learning_rate")]
    assert len(rates) == 2 and rates[1] < rates[0]
    assert "training samples/4" in tags["images"]
    drawn = events.Images("validation cases/c")
    assert len(drawn) == 2 and drawn[0].width > 30


def test_an_overlay_tells_reference_and_prediction_apart():
    image = np.linspace(0, 1, 400, dtype=np.float32).reshape(20, 20)
    target, found = np.zeros((2, 20, 20), np.uint8)
    target[5:15, 5:15], found[5:15, 8:18] = 1, 1
    target[0] = IGNORE
    picture = np.moveaxis(overlay(image, target, found), 0, 2)
    assert picture[10, 5].tolist() == GREEN and picture[10, 17].tolist() == RED and picture[5, 10].tolist() == YELLOW
    inside, ignored = picture[10, 11], picture[0, 10]
    assert len(set(inside.tolist())) == 1 and ignored[2] > ignored[0]
