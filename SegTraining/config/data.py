"""The settings of the data, as they are written in a configuration: what is read, divided and made of it."""

import re
from typing import Any, Literal

from pydantic import Field, model_validator

from SpineInference.anatomy import STRUCTURE_CODE, VERTEBRA_CODE
from SpineInference.specs import INTENSITY_RULES, IntensityRule

from .augmentation import StrictModel

THESIS_RULE = "thesis"
"""Equations 4.1-4.4 of the thesis, for reproducing it: see `prepare`."""

PLACEHOLDER = "{case}"


_VERTEBRAE = {"vertebra", "vertebrae", "vertebral body", "vertebral bodies"}


class Label(StrictModel):
    """One class that the network tells apart: name, colour (r, g, b; 0-255) and SNOMED CT type of its segments.

    Without a code it is a vertebra if its name says so, and otherwise any structure.
    """

    name: str = "Vertebral body"
    colour: tuple[int, int, int] = (241, 214, 145)
    code: str = VERTEBRA_CODE[0]
    meaning: str = VERTEBRA_CODE[1]
    values: tuple[int, ...] = ()
    """The values of the label maps that it stands for; none for every value that is not 0 and not ignored."""
    value: int | None = Field(None, ge=1, le=255)
    """What the package calls it; by default its place among the labels. Networks of a set that find different things
    need different ones."""

    @model_validator(mode="before")
    @classmethod
    def _code_by_name(cls, given: Any) -> Any:
        if not isinstance(given, dict) or "code" in given:
            return given
        if "meaning" in given:
            raise ValueError("a meaning belongs to a SNOMED CT code: give both, or neither")
        is_vertebra = str(given.get("name", "vertebra")).strip().lower() in _VERTEBRAE
        code, meaning = VERTEBRA_CODE if is_vertebra else STRUCTURE_CODE
        return {**given, "code": code, "meaning": meaning}

    @model_validator(mode="after")
    def _meaning_of_code(self) -> "Label":
        if self.meaning == VERTEBRA_CODE[1] and self.code != VERTEBRA_CODE[0]:
            raise ValueError(f"the SNOMED CT code {self.code} needs its meaning")
        return self


class Dataset(StrictModel):
    """One folder of images with label maps, and how its labels are to be read.

    Layouts: `nnunet` (imagesTr/NAME_0000.nii.gz; a label map of instancesTr is taken instead of that of labelsTr),
    `msd` (the pairs that its dataset.json lists), `pairs` (the files that the patterns `images` and `masks` find)
    and `images2d` (radiographs and other single images, PNG, TIFF or DICOM, likewise by patterns).
    """

    name: str
    layout: Literal["nnunet", "msd", "pairs", "images2d"] = "nnunet"
    images: str | None = None
    """Where the images lie below the folder, with {case} for the case's name: "{case}/t2*.nrrd"."""
    masks: str | None = None
    """Where the label map of {case} lies. By default images2d has images/{case}.* and masks/{case}.*"""
    spacing_mm: float | None = Field(None, gt=0)
    """Size of a pixel in images2d whose files do not tell it (PNG, TIFF); by default one pixel is one millimetre."""
    exclude: tuple[str, ...] = ()
    """Cases that are left out."""
    channel: int | None = Field(None, ge=0, le=9999)
    """Of nnunet images with several channels (NAME_0000, NAME_0001, ...), the one that is used, from 0. Without it
    cases with a second channel are refused, so that none is dropped unnoticed."""
    may_be_empty: bool = False
    """Whether a training case may have no labelled voxel, as normal radiographs have; otherwise it is refused."""
    label_values: dict[str, tuple[int, ...]] = {}
    """Of the labels of model_info, by name, those that have other values here than it says; [] is not labelled here,
    and background."""
    unlabelled: tuple[str, ...] = ()
    """Labels of model_info, by name, that the images show and nobody has labelled: what is background here says nothing
    about them, and each label of the model is then learned by itself (sigmoid)."""
    ignore_labels: tuple[int, ...] = ()
    """Values whose voxels count neither as target nor as background."""
    background_labels: tuple[int, ...] = ()
    """Values that are background although they are not 0."""
    known_labels: tuple[int, ...] | None = None
    """Values that the label maps may hold beside those of other settings: any other stops the training. By default
    those that the dataset.json of the layouts nnunet and msd names, whose value "ignore" is one of `ignore_labels`;
    label maps of instances may hold any."""
    body_in_front_of: int | None = None
    """Value of the spinal canal, for labels of whole vertebrae: of these only what lies in front of it, the body, is
    taught as a vertebral body. The canal's own voxels are background."""
    unlabelled_above: Literal["background", "ignore"] = "background"
    """What the bodies above the topmost labelled one are: some data sets show them without labelling them."""
    ignore_below_mm: float = Field(0.0, ge=0)
    """From the lower surface of the lowest labelled body to this far below its lowest voxel nothing is taught; further
    down is background."""
    patient_pattern: str = r"(.+)"
    """Regular expression whose first group, searched in a case's name, is its patient."""
    sampling_weight: float | None = Field(None, ge=0)
    """Share of the training samples relative to the other data sets; by default its number of training cases. With 0
    it teaches nothing: it is there for its validation and test cases."""

    def values_of(self, label: Label) -> tuple[int, ...]:
        """The values that stand for `label` in the label maps of this data set."""
        return () if label.name in self.unlabelled else self.label_values.get(label.name, label.values)

    @property
    def patterns(self) -> tuple[str, str]:
        """Of the images and of the masks, for the layouts that have patterns."""
        return self.images or f"images/{PLACEHOLDER}.*", self.masks or f"masks/{PLACEHOLDER}.*"

    @model_validator(mode="after")
    def _fits_layout(self) -> "Dataset":
        given = [pattern for pattern in (self.images, self.masks) if pattern is not None]
        if self.layout == "pairs" and len(given) < 2:
            raise ValueError('the layout pairs needs the patterns "images" and "masks"')
        if given and self.layout not in ("pairs", "images2d"):
            raise ValueError(f'the layout {self.layout} takes no patterns: leave out "images" and "masks"')
        for pattern in given:
            if pattern.count(PLACEHOLDER) != 1:
                raise ValueError(f'the pattern "{pattern}" must hold {PLACEHOLDER} once')
        if self.channel is not None and self.layout != "nnunet":
            raise ValueError("a channel can be chosen in the layout nnunet only")
        if self.spacing_mm is not None and self.layout != "images2d":
            raise ValueError("spacing_mm of a data set is for the layout images2d only: scans tell theirs")
        try:
            groups = re.compile(self.patient_pattern).groups
        except re.error as error:
            raise ValueError(f"patient_pattern is no regular expression ({error})") from None
        if groups < 1:
            raise ValueError("patient_pattern needs a group in parentheses: the patient's name")
        return self


class Split(StrictModel):
    """Which cases are for what, always whole patients; what is left over is for training.

    Validation: a list, fold `fold` of `folds`, or a fraction. Test: a list or a fraction; `test` cases are never
    looked at during training. Folds and fractions are dealt by `seed` within each data set.
    """

    validation: tuple[str, ...] = ()
    test: tuple[str, ...] = ()
    folds: int | None = Field(None, ge=2)
    fold: int = Field(0, ge=0)
    validation_fraction: float | None = Field(None, gt=0, lt=1)
    test_fraction: float | None = Field(None, gt=0, lt=1)
    training_cases: int | None = Field(None, ge=1)
    """Train on this many cases only; a smaller number takes some of those of a larger one."""
    seed: int = 0

    @model_validator(mode="after")
    def _one_way(self) -> "Split":
        ways = [bool(self.validation), self.folds is not None, self.validation_fraction is not None]
        if sum(ways) > 1:
            raise ValueError("give validation cases, a number of folds or a validation_fraction, not several of them")
        if self.test and self.test_fraction is not None:
            raise ValueError("give test cases or a test_fraction, not both")
        if self.folds is not None and self.fold >= self.folds:
            raise ValueError(f"fold {self.fold} does not exist: folds are numbered 0 to {self.folds - 1}")
        return self


class Data(StrictModel):
    datasets: tuple[Dataset, ...] = Field(min_length=1)
    split: Split


class Input(StrictModel):
    """What the network sees; goes into the manifest of the package as it is."""

    context_slices: int = Field(1, ge=0)
    spacing_mm: float = Field(1.0, gt=0)
    intensity: IntensityRule = IntensityRule()
    bias_correction: bool = False
    pad_multiple: int = Field(32, ge=1)
    canvas: tuple[int, int] | None = None
    """The only [rows, cols] that the network ever sees, for one whose output depends on it (PSPNet)."""

    @property
    def channels(self) -> int:
        """Input channels of the network: the slice and its neighbours on both sides."""
        return 2 * self.context_slices + 1

    @model_validator(mode="after")
    def _known_rule(self) -> "Input":
        rules = (*INTENSITY_RULES, THESIS_RULE)
        if self.intensity.rule not in rules:
            raise ValueError(f"the intensity rule must be one of {', '.join(rules)}")
        if self.intensity.rule == "fixed" and (self.intensity.mean is None or not (self.intensity.std or 0) > 0):
            raise ValueError("the intensity rule fixed needs a mean, and a std above 0")
        return self
