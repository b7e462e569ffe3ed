"""Pictures for TensorBoard: what the network is taught, and what it finds in validation cases."""

import numpy as np
from lightning.pytorch import Callback, Trainer
from scipy import ndimage

from ..data.targets import IGNORE, is_target
from .module import SegmentationModule
from .validation import find_in_slice

SAMPLES, CASES = 8, 4
"""So many are drawn at most."""
_EVERY_EPOCH, _THEN_EVERY = 10, 10
_REFERENCE, _PREDICTION, _BOTH, _IGNORED = (0, 220, 0), (255, 40, 40), (255, 220, 0), (60, 90, 200)


class Overlays(Callback):
    """Draws training samples when a run begins, and the fullest slices of validation cases after the first ten epochs
    and every tenth from then on."""

    def on_train_batch_start(self, trainer: Trainer, module: SegmentationModule, batch, batch_index: int) -> None:
        if trainer.is_global_zero and module.steps_done == 0:
            image, target = (part[:SAMPLES].cpu().numpy() for part in batch)
            for number, (slices, truth) in enumerate(zip(image, target, strict=True), start=1):
                _add(trainer, f"training samples/{number}", overlay(slices[len(slices) // 2], truth))

    def on_validation_end(self, trainer: Trainer, module: SegmentationModule) -> None:
        epoch = trainer.current_epoch + 1
        if not trainer.is_global_zero or (epoch > _EVERY_EPOCH and epoch % _THEN_EVERY):
            return
        for case in module.validation_cases[:CASES]:
            image, target, found = find_in_slice(case, module.predict_average, module.config)
            _add(trainer, f"validation cases/{case.record.name}", overlay(image, target, found))


def overlay(image: np.ndarray, target: np.ndarray, found: np.ndarray | None = None) -> np.ndarray:
    """uint8 [3, rows, cols]: `image` [rows, cols] in grey with the outlines of the classes of `target`, green, and of
    those that were `found`, red; yellow where both are. What is ignored is bluish."""
    low, high = np.percentile(image, (1, 99.5))
    grey = np.clip((image.astype(np.float32) - low) / max(high - low, 1e-6), 0, 1)
    picture = np.repeat(255 * grey[..., None], 3, axis=2)
    ignored = target == IGNORE
    target = np.where(is_target(target), target, 0)
    picture[ignored] = 0.7 * picture[ignored] + 0.3 * np.array(_IGNORED)
    truth = _outlines(target)
    drawn = np.zeros_like(truth) if found is None else _outlines(np.where(ignored, 0, found))
    for mask, colour in ((truth, _REFERENCE), (drawn, _PREDICTION), (truth & drawn, _BOTH)):
        picture[mask] = colour
    return np.moveaxis(picture.astype(np.uint8), 2, 0)


def _outlines(classes: np.ndarray) -> np.ndarray:
    """The outermost pixels of each class (bool)."""
    masks = (classes == value for value in np.unique(classes[classes > 0]))
    return np.any([np.zeros(classes.shape, bool), *(mask & ~ndimage.binary_erosion(mask) for mask in masks)], axis=0)


def _add(trainer: Trainer, title: str, picture: np.ndarray) -> None:
    trainer.logger.experiment.add_image(title, picture, trainer.current_epoch)
