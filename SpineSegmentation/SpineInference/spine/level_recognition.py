"""Which vertebrae a scan shows, read off its anchors: the sacrum under L5, and C2 with its dens.

A small network looks at a patch around each vertebral body, and around the place below the last one where the sacrum
would begin, and says how much it looks like each level. Bodies follow each other without a gap, so that the level of
the topmost one decides about all: every possibility is weighed by what the network says of the whole chain. A wrong
name is worse than none. Nothing is proposed where no anchor is seen, where the chain fits in more than one place or in
none, or where a body may be missing or doubled in between.

Five lumbar vertebrae are taken for granted, as radiologists do who see only the sacrum: in the one person of about ten
who has four or six, or a transitional vertebra, what is counted from the sacrum is off by one. Only the user can know.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import ndimage

from ..anatomy import LEVELS
from ..models.manifest import Manifest
from ..processors import in_threads
from ..specs import InputSpec

if TYPE_CHECKING:
    from ..engines.engine import Engine

NEIGHBOUR_MM = 5.0
"""How far beside the middle of a body the two other sagittal slices of a patch lie."""
PAD_VALUE = -3.0
"""What stands where the scan has ended: darker than anything in it."""
CERTAIN = 0.95
"""From this confidence on levels are proposed."""
UNIFORM_MIX = 0.25
"""Share of chance in what the network says of one body, so that no single one decides against all others."""
P_SKIP = 0.01
"""How likely it is that a body between the others was missed or counted twice without being noticed as `uneven`: then
those below it are one level further down or up."""
P_OUTLIER = 1e-4
"""How likely it is that the bodies are no chain at all, so that each may be what it looks like."""
SURE_ANCHOR = 0.7
"""How sure the network must be of an anchor, before `UNIFORM_MIX`. As the other numbers, chosen on the validation cases
and 1,020 phantoms that this network's predecessors had not seen: none wrong."""
ANCHORS = {"C2": "C2", "L5": "the sacrum"}
"""The bodies that can be recognised by themselves, and by what is seen there. S1 is none: where the last body is steep
and badly seen, L5 looks like it."""
ABOVE_C2_MM, BELOW_L5_MM = 20.0, 35.0
"""How far the scan must go on beyond the middle of a body to show the dens, or the upper half of S1."""
TO_S1 = (0.93, 16.0)
"""The way from L5 to S1: its length relative to that from L4 to L5, and the degrees by which it is turned backwards. In
phantoms and in the scans of Chu where both are found they are 0.84 to 1.05 and 12 to 20."""
UNEVEN = (0.55, 1.4)
"""Distances between bodies, relative to those of the neighbours, beyond which one is doubled or missing. No patient of
62 and two of 300 phantoms have one; a body in two halves always makes one, two bodies in one in two cases of three."""

Spacing = tuple[float, float, float]
_NAMES = [name for name in LEVELS if name != "L6"]
_IMPOSSIBLE = -1e3
"""Instead of the logarithm of 0, with which one cannot calculate."""


@dataclass(frozen=True)
class Proposal:
    """The level of the topmost body, the probability that it is right, and in words what it was counted from."""

    top_level: str
    confidence: float
    anchor: str


def propose_levels(
    volume: np.ndarray,
    spacing_ipl: Spacing,
    centres: Sequence[tuple[float, float, float]],
    manifest: Manifest,
    engine: "Engine",
) -> Proposal | None:
    """The levels of the bodies at `centres` (voxel indices I, P, L; from top to bottom), or None where they are unsure.

    `volume` [I, P, L] is the canonical scan, normalised as `manifest` says, which is that of the network in `engine`.
    """
    points = np.asarray(centres, float).reshape(-1, 3)
    if not len(points) or uneven(points * spacing_ipl):
        return None
    below = _place_of_s1(points, spacing_ipl, volume.shape)
    places = points if below is None else np.vstack([points, below])
    patches = np.stack(in_threads(lambda place: make_patch(volume, spacing_ipl, place, manifest.input), places))
    by_value = np.zeros((len(places), len(LEVELS) + 1))
    by_value[:, [0, *(label.value for label in manifest.labels)]] = engine.probabilities(patches)[..., 0, 0]
    proposal = decide(by_value[: len(points)], None if below is None else by_value[-1])
    if proposal is None or not _shows_anchor(proposal, points[:, 0], volume.shape[0], spacing_ipl[0]):
        return None
    return proposal


def make_patch(
    volume: np.ndarray,
    spacing_ipl: Spacing,
    centre: np.ndarray,
    spec: InputSpec,
    turn: np.ndarray | None = None,
    neighbour_mm: float = NEIGHBOUR_MM,
) -> np.ndarray:
    """What the network sees of a body: float32 [3, rows, cols], sagittal slices of `spec.canvas`, around its `centre`.

    `PAD_VALUE` fills what lies above, below, in front of or behind the scan; beside it, its outermost slices go on. In
    training, `turn` (2 x 2, default unity) takes mm down and back in the patch to those in the scan.
    """
    # Each pixel is the mean of 2 x 2 points.
    down, back = np.meshgrid(*((np.arange(2 * n) - n + 0.5) * spec.spacing_mm / 2 for n in spec.canvas), indexing="ij")
    if turn is not None:
        down, back = np.tensordot(turn, [down, back], axes=1)
    down, back = centre[0] + down / spacing_ipl[0], centre[1] + back / spacing_ipl[1]
    left = centre[2] + np.array([-1, 0, 1]) * neighbour_mm / spacing_ipl[2]
    points = np.broadcast_arrays(down, back, left[:, None, None])
    values = ndimage.map_coordinates(volume, points, order=1, mode="nearest")
    inside = (np.abs(down / (volume.shape[0] - 1) - 0.5) <= 0.5) & (np.abs(back / (volume.shape[1] - 1) - 0.5) <= 0.5)
    values = np.where(inside, values, PAD_VALUE)
    return values.reshape(3, spec.canvas[0], 2, spec.canvas[1], 2).mean(axis=(2, 4), dtype=np.float32)


def decide(probabilities: np.ndarray, below: np.ndarray | None = None) -> Proposal | None:
    """The only possibility that a chain of bodies leaves, or None.

    `probabilities` [bodies, 27] are those of being no vertebra, then of the levels by their label values (C1 is 1);
    `below` [27] those of the place where the next body would be.
    """
    count, values = len(probabilities), [LEVELS[name].label for name in _NAMES]
    if not 0 < count <= len(values):
        return None
    by_level = probabilities[:, values]
    believed = _believed(by_level)
    # By the level of the last body: what then must be below it, and below S1 there is no body.
    believed_below = _believed(np.ones(len(values)) if below is None else below[[*values[1:], 0]])
    whole, broken = _chains(believed, believed_below)
    one_by_one = believed.max(axis=1).sum() + believed_below.max()
    fits = np.concatenate([whole, broken + np.log(P_SKIP / max(1, count - 1)), [one_by_one + np.log(P_OUTLIER)]])
    weights = np.exp(fits - fits.max())
    top = int(np.argmax(whole))
    confidence = float(weights[top] / weights.sum())
    names = _NAMES[top : top + count]
    anchors = [name for body, name in enumerate(names) if by_level[body, top + body] >= SURE_ANCHOR]
    anchor = next((ANCHORS[name] for name in anchors if name in ANCHORS), None)
    # One more lumbar vertebra where the sacrum should be contradicts whatever the others look like.
    others = [] if below is None or names[-1] != "L5" else np.delete(below, [0, LEVELS["S1"].label])
    if anchor is None or confidence < CERTAIN or np.max(others, initial=0) >= SURE_ANCHOR:
        return None
    return Proposal(_NAMES[top], confidence, anchor)


def _chains(believed: np.ndarray, believed_below: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How well chains fit to what is believed of bodies [bodies, levels] and of the place below the last one [levels].

    Logarithms: of the chains that begin with each level and fit into a spine, and of those that from some body on are
    one level further down or up than they have begun.
    """
    count, levels = believed.shape
    # A broken chain may begin one level above a whole one's first, or below its last.
    padded = np.pad(believed, ((0, 0), (1, 1)), constant_values=_IMPOSSIBLE)
    tops, bodies = np.arange(levels - count + 3)[:, None], np.arange(count)
    upper = padded[bodies, tops + bodies].cumsum(axis=1)
    whole = upper[:, -1] + np.pad(believed_below, 1, constant_values=_IMPOSSIBLE)[tops[:, 0] + count - 1]
    upper, lower = upper[:, :-1], whole[:, None] - upper[:, :-1]
    return whole[1:-1], np.concatenate([upper[:-1] + lower[1:], upper[1:] + lower[:-1]]).ravel()


def rotate_posterior(way: np.ndarray, length: float, degrees: float) -> np.ndarray:
    """A way (I, P, L) down the spine, `length` times as long and turned backwards."""
    cos, sin = np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))
    return length * np.array([cos * way[0] - sin * way[1], sin * way[0] + cos * way[1], way[2]])


def _believed(probability: np.ndarray) -> np.ndarray:
    return np.log((1 - UNIFORM_MIX) * probability + UNIFORM_MIX / len(_NAMES))


def _place_of_s1(points: np.ndarray, spacing_ipl: Spacing, shape: tuple[int, ...]) -> np.ndarray | None:
    """Where S1 lies if the last of `points` (voxels) is L5; None where the scan does not reach as far."""
    if len(points) < 2 or (shape[0] - points[-1, 0]) * spacing_ipl[0] < BELOW_L5_MM:
        return None
    place = points[-1] + rotate_posterior((points[-1] - points[-2]) * spacing_ipl, *TO_S1) / spacing_ipl
    return place if (place >= 0).all() and (place < shape).all() else None


def _shows_anchor(proposal: Proposal, rows: np.ndarray, height: int, spacing: float) -> bool:
    """Whether a scan of `height` rows goes far enough beyond the bodies at `rows` to show what they are named from."""
    first = _NAMES.index(proposal.top_level)
    if proposal.anchor == ANCHORS["C2"]:
        return rows[0] * spacing >= ABOVE_C2_MM
    return (height - rows[_NAMES.index("L5") - first]) * spacing >= BELOW_L5_MM


def uneven(centres_mm: np.ndarray) -> bool:
    """Whether bodies at `centres_mm` [n, 3] do not follow each other evenly: one may be missing, or counted twice."""
    steps = np.linalg.norm(np.diff(centres_mm, axis=0), axis=1)
    for index, step in enumerate(steps):
        others = np.delete(steps[max(0, index - 2) : index + 3], min(index, 2))
        if len(others) and not UNEVEN[0] <= step / np.median(others) <= UNEVEN[1]:
            return True
    return False
