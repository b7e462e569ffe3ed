"""The description of a network that was trained elsewhere: one YAML file beside its state dict."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from SpineInference.errors import SpineError
from SpineInference.models.manifest import is_plain_name
from SpineInference.specs import PostprocessingSpec, is_orientation

from ..config.augmentation import StrictModel
from ..config.config import ModelInfo, read_settings
from ..config.data import THESIS_RULE, Input
from ..config.errors import explain


class ForeignNetwork(StrictModel):
    """A class of smp or MONAI, or a family of this project, with the arguments that it was made with.

    Input channels and classes are not among them: they follow from `context_slices`, the labels and the activation.
    """

    library: Literal["smp", "monai", "own"]
    name: str
    """The class ("Unet", "SegResNet"), or the family ("poster-unet")."""
    arguments: dict[str, Any] = {}
    """As the library calls them."""


class ForeignInput(Input):
    """As `input` of a configuration, and how the slices lie that the network knows."""

    context_slices: int = Field(0, ge=0)
    orientation: str = "LPI"
    """Where x, y and z of the images grow that the network was trained on; rows and columns of a slice follow each
    other as in an array [z, y, x]. LPI is how radiologists look at a slice."""
    pad_value: float | None = None
    """What surrounds a slice up to `pad_multiple` or `canvas`, normalised; by default the darkest value of the scan."""
    blending: Literal["equal", "gaussian"] = "equal"
    """Of canvases that overlap: means of probabilities, or of logits that count more in the middle, as in nnU-Net."""

    @model_validator(mode="after")
    def _known_words(self) -> "ForeignInput":
        if not is_orientation(self.orientation):
            raise ValueError(f'orientation must be three letters such as LPI or RAS, not "{self.orientation}"')
        if self.intensity.rule == THESIS_RULE:
            raise ValueError("the intensity rule thesis needs a reference mask: nothing can be segmented with it")
        return self


class Description(StrictModel):
    """All that a package of the network needs to know."""

    name: str
    network: ForeignNetwork
    weights: str
    """The file of torch.save that holds the state dict, relative to the description."""
    state_dict: str = ""
    """Where in that file the state dict lies, keys with dots between: "model" or "checkpoint.state_dict"."""
    prefix: str = ""
    """What the names of the weights begin with there and not in the network: "model." of a Lightning module."""
    plane: Literal["sagittal", "coronal", "axial"]
    input: ForeignInput
    activation: Literal["sigmoid", "softmax"]
    """What makes probabilities of the output: sigmoid of a network without, softmax of one with a background."""
    threshold: float = Field(0.5, gt=0, lt=1)
    postprocessing: PostprocessingSpec = PostprocessingSpec()
    model_info: ModelInfo

    @field_validator("name")
    @classmethod
    def _plain(cls, name: str) -> str:
        if not is_plain_name(name):
            raise ValueError("the name must be letters, digits, dots, dashes and underscores")
        return name

    @model_validator(mode="before")
    @classmethod
    def _values_by_position(cls, given: Any) -> Any:
        """A label without a value has that of its channel: 1, 2, ..."""
        info = given.get("model_info") if isinstance(given, dict) else None
        labels = info.get("labels") if isinstance(info, dict) else None
        if not isinstance(labels, list) or not all(isinstance(label, dict) for label in labels):
            return given
        numbered = [{"values": [number], **label} for number, label in enumerate(labels, start=1)]
        return {**given, "model_info": {**info, "labels": numbered}}

    @property
    def classes(self) -> int:
        """Output channels of the network."""
        return len(self.model_info.labels) + (self.activation == "softmax")


def read_description(path: Path) -> Description:
    """The description in a YAML file. Raises SpineError for what is missing, unknown or impossible in it."""
    try:
        return Description.model_validate(read_settings(path))
    except ValidationError as error:
        raise SpineError(f'The description "{path}" is wrong at {explain(error, Description)}.') from None
