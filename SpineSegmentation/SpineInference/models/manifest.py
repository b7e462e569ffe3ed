"""What a model package says about itself: every number that inference needs, and where the model comes from."""

from dataclasses import dataclass, field
from typing import Any, Literal

from ..anatomy import (
    CANAL_CODE,
    CORD_CODE,
    DISC_CODE,
    DISC_OFFSET,
    HOLDERS,
    STRUCTURE_OFFSET,
    VERTEBRA_CODE,
    Segment,
    structure_beside_vertebrae,
)
from ..errors import SpineError
from ..networks import check_family
from ..schema import load_json, parse
from ..specs import INTENSITY_RULES, InputSpec, LabelSpec, NetworkSpec, OutputSpec, PostprocessingSpec, is_orientation

SCHEMA_VERSION = 2
"""1: weights as `model.safetensors` beside the graph. 2: all of them in `model.onnx`."""
LEVELS_TASK = "levels"
"""The task of a network that does not segment but recognises levels: see `level_recognition`."""
HIGHEST_BESIDE_VERTEBRAE = DISC_OFFSET - STRUCTURE_OFFSET
"""The highest value of a label in a model that finds vertebrae too, but for those that have a value of their own."""
_COLUMN = {code for code, _ in (VERTEBRA_CODE, DISC_CODE, CANAL_CODE, CORD_CODE)}
_SEPARATORS = "^~|"
"""What separates the parts of a segment's description in 3D Slicer's files."""


@dataclass(frozen=True)
class TrainingStatement:
    """Where the weights come from: the data in words, the recipe (a preset), ISO date, seed and anything else."""

    data: str
    recipe: str
    date: str
    seed: int | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Manifest:
    """The `manifest.json` of a model package. `files` maps each file's name to its SHA-256."""

    name: str
    title: str
    description: str
    task: str
    anatomy: str
    modality: str
    plane: Literal["sagittal", "coronal", "axial"]
    labels: list[LabelSpec]
    input: InputSpec
    network: NetworkSpec
    training: TrainingStatement
    licence: str
    output: OutputSpec = field(default_factory=OutputSpec)
    postprocessing: PostprocessingSpec = field(default_factory=PostprocessingSpec)
    metrics: dict[str, Any] = field(default_factory=dict)
    made_with: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict)
    schema_version: int = SCHEMA_VERSION

    @property
    def classes(self) -> int:
        """Output channels of the network: with softmax the background is channel 0, with sigmoid it has none."""
        return len(self.labels) + (self.output.activation == "softmax")

    @property
    def recognises_levels(self) -> bool:
        """Whether this is no model that segments, but one that tells the level of bodies that were segmented."""
        return self.task == LEVELS_TASK

    @property
    def vertebra_class(self) -> int | None:
        """The number (1, 2, ...) of the label that stands for all vertebrae: the only one with the code "Vertebra".

        Several labels with that code tell vertebrae or their parts apart by themselves: there is nothing to separate.
        """
        numbers = [number for number, label in enumerate(self.labels, start=1) if label.code == VERTEBRA_CODE[0]]
        return numbers[0] if len(numbers) == 1 else None

    @property
    def disc_class(self) -> int | None:
        """The number of the label that stands for all intervertebral discs, which are told apart by their vertebrae.

        None where vertebrae are not looked for too, or several labels have the code of discs.
        """
        numbers = [number for number, label in enumerate(self.labels, start=1) if label.code == DISC_CODE[0]]
        return numbers[0] if len(numbers) == 1 and self.vertebra_class is not None else None

    @property
    def holders(self) -> dict[int, int]:
        """By number of a label that lies inside another one, as the cord does in the canal, the number of that."""
        numbers = {label.code: number for number, label in enumerate(self.labels, start=1)}
        return {numbers[code]: numbers[holder] for code, holder in HOLDERS.items() if {code, holder} <= numbers.keys()}

    @property
    def finds_only_the_column(self) -> bool:
        """Whether it finds vertebrae, and beside them at most discs, the spinal canal and the cord."""
        return {VERTEBRA_CODE[0]} <= {label.code for label in self.labels} <= _COLUMN

    @property
    def finds_only_vertebrae(self) -> bool:
        """Whether vertebrae are all that it finds."""
        return len(self.labels) == 1 and self.vertebra_class is not None

    @property
    def structures(self) -> dict[int, Segment]:
        """By number of the label the one segment that it becomes, unless it is that of all vertebrae or all discs.

        For the values see `anatomy`.
        """
        whole = {
            number: (label.value, label.name, label.colour, label.code, label.meaning)
            for number, label in enumerate(self.labels, start=1)
            if number not in (self.vertebra_class, self.disc_class)
        }
        if self.vertebra_class is None:
            return {number: Segment(*about, is_vertebra=False) for number, about in whole.items()}
        return {number: structure_beside_vertebrae(*about) for number, about in whole.items()}

    @property
    def values_fit(self) -> bool:
        """Whether no structure has the value of a disc in results, or one that a label map cannot hold."""
        highest = 255 if self.vertebra_class is None else DISC_OFFSET
        return all(structure.label <= highest for structure in self.structures.values())


def read_manifest(text: str | bytes, what: str) -> Manifest:
    """The manifest written in the JSON `text`; `what` names it in messages.

    Raises SpineError for JSON that is damaged, made for a newer version, of another shape, or impossible.
    """
    raw = load_json(text, what)
    check_schema_version(raw, what)
    manifest = parse(raw, Manifest, what)
    _check(manifest, what)
    return manifest


def check_schema_version(raw: Any, what: str) -> None:
    """Raise SpineError if the JSON value `raw` says that it was made for a newer version than this one.

    To be asked before anything else: what is newer may well have fields that this version would call unknown.
    """
    version = raw.get("schema_version") if isinstance(raw, dict) else None
    if type(version) is int and version > SCHEMA_VERSION:
        raise SpineError(
            f"{what} was made by a newer version of SpineSegmentation (schema {version}, this version reads up to "
            f"{SCHEMA_VERSION}): update SpineSegmentation."
        )


def _check(manifest: Manifest, what: str) -> None:
    """What types cannot say."""
    spec, rule = manifest.input, manifest.input.intensity
    wrong = [
        (manifest.schema_version < 1, "schema_version must be at least 1"),
        (not is_plain_name(manifest.name), "name must be letters, digits, dots, dashes and underscores"),
        (not manifest.labels, "labels must name at least one label"),
        (not 0 <= spec.context_slices <= 8, "input.context_slices must be 0 to 8"),
        (not 0.05 <= spec.spacing_mm <= 20, "input.spacing_mm must be 0.05 to 20"),
        (not 1 <= spec.pad_multiple <= 512, "input.pad_multiple must be 1 to 512"),
        (
            spec.canvas is not None
            and not all(0 < n <= 4096 and n % max(spec.pad_multiple, 1) == 0 for n in spec.canvas),
            "input.canvas must be two multiples of pad_multiple up to 4096",
        ),
        (rule.rule not in INTENSITY_RULES, f"input.intensity.rule must be one of {', '.join(INTENSITY_RULES)}"),
        (not is_orientation(spec.orientation), "input.orientation must be three letters such as LPI"),
        (
            not rule.low < rule.high or (rule.rule != "fixed" and not 0 <= rule.low < rule.high <= 100),
            "input.intensity must have 0 <= low < high <= 100",
        ),
        (
            rule.rule == "fixed" and (rule.mean is None or rule.std is None or rule.std <= 0),
            "input.intensity needs a mean and a std above 0 for the rule fixed",
        ),
        (not 0 < manifest.output.threshold < 1, "output.threshold must be between 0 and 1"),
        ("encoder_weights" in manifest.network.arguments, "network.arguments must not have encoder_weights"),
        (len({label.value for label in manifest.labels}) < len(manifest.labels), "labels must have different values"),
        (any(not 0 < label.value < 256 for label in manifest.labels), "labels must have values of 1 to 255"),
        (not manifest.values_fit, f"labels beside vertebrae must have values of 1 to {HIGHEST_BESIDE_VERTEBRAE}"),
        (
            any(
                not _is_plain_text(text)
                for label in manifest.labels
                for text in (label.name, label.code, label.meaning)
            ),
            f"names, codes and meanings of labels must be plain text without {' '.join(_SEPARATORS)}",
        ),
        (
            any(not 0 <= channel <= 255 for label in manifest.labels for channel in label.colour),
            "colours of labels must be three numbers from 0 to 255",
        ),
    ]
    for is_wrong, sentence in wrong:
        if is_wrong:
            raise SpineError(f"{what} is not valid: {sentence}.")
    check_family(manifest.network.family, classifies=manifest.recognises_levels)


def _is_plain_text(text: str) -> bool:
    return bool(text.strip()) and text.isprintable() and not any(separator in text for separator in _SEPARATORS)


def is_plain_name(name: str) -> bool:
    """Whether `name` is safe as a file or folder name on every system: nothing that could lead elsewhere."""
    return (
        0 < len(name) <= 100
        and name[0].isalnum()
        and name[-1] != "."
        and all(c.isascii() and (c.isalnum() or c in "._-") for c in name)
    )
