"""Makes the sample scan that comes with the module, its true bodies, and their pictures for the Sample Data module.

    python Resources/Sources/sample_scan.py [SpineLumbarMR.nii.gz]

With the real sample scan, whose address stands in SampleScan.py, its picture is made and nothing else.
The spine is one that no network has been trained on (its seed is far from those of the training). Print the SHA-256
sums into SpineSegmentationLib/scene/SampleScan.py when the files have changed.
"""

import hashlib
import sys
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from PIL import Image

PROJECT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(PROJECT), str(PROJECT / "SpineSegmentation")]

from SegTraining.synthetic.spine.phantom import Phantom, make_phantom  # noqa: E402
from SpineInference.anatomy import LEVELS, Segment  # noqa: E402
from SpineInference.files.writing import write_segmentation  # noqa: E402

SEED = 2027
RESOURCES = PROJECT / "SpineSegmentation" / "Resources"
THUMBNAIL = (260, 280)
CUT = 29
"""The sagittal slice of the picture: through the middle of the bodies."""


def main() -> None:
    """Write the four files and print their sums."""
    phantom = make_phantom(SEED, (1.2, 1.2, 1.2), (180.0, 264.0, 76.8), contrast="T2", oblique_degrees=6.0)
    segments = [segment for segment in LEVELS.values() if segment.label in np.unique(_array(phantom.bodies))]
    folder = RESOURCES / "SampleData"
    sitk.WriteImage(phantom.image, folder / "SpinePhantom.nrrd", useCompression=True, compressionLevel=9)
    write_segmentation(phantom.bodies, segments, folder / "SpinePhantomTruth.seg.nrrd")
    picture = _picture(phantom)
    _write_thumbnail(picture, "SpinePhantom")
    _write_thumbnail(_painted(picture, phantom, segments), "SpinePhantomTruth")
    for path in sorted(folder.iterdir()):
        print(hashlib.sha256(path.read_bytes()).hexdigest(), path.name, f"{path.stat().st_size / 1e6:.2f} MB")


def _array(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


def draw_real(path: Path) -> None:
    """Draw the middle sagittal slice of the real scan, whose axes are those of the patient."""
    scan = sitk.DICOMOrient(sitk.ReadImage(path), "PIR")  # columns to the back, rows down, slices to the right
    image = _array(scan)
    _write_thumbnail(_in_window(image[len(image) // 2]), "SpineLumbarMR")


def _picture(phantom: Phantom) -> np.ndarray:
    return _in_window(_array(phantom.image)[CUT])


def _in_window(cut: np.ndarray) -> np.ndarray:
    """A slice in the window that shows it best, float [row, column, RGB] in 0 ... 1."""
    cut = cut.astype(float)
    low, high = np.percentile(cut, (1, 96))
    return np.repeat(((cut - low) / (high - low)).clip(0, 1)[..., None], 3, axis=2)


def _painted(picture: np.ndarray, phantom: Phantom, segments: list[Segment]) -> np.ndarray:
    truth = _array(phantom.bodies)[CUT]
    painted = picture.copy()
    for segment in segments:
        body = truth == segment.label
        painted[body] = 0.45 * painted[body] + 0.55 * np.array(segment.colour) / 255
    return painted


def _write_thumbnail(picture: np.ndarray, name: str) -> None:
    image = Image.fromarray((255 * picture).round().astype(np.uint8))
    scale = max(THUMBNAIL[0] / image.width, THUMBNAIL[1] / image.height)
    image = image.resize((round(image.width * scale), round(image.height * scale)), Image.Resampling.LANCZOS)
    left, top = (image.width - THUMBNAIL[0]) // 2, (image.height - THUMBNAIL[1]) // 2
    image.crop((left, top, left + THUMBNAIL[0], top + THUMBNAIL[1])).save(RESOURCES / "Icons" / f"{name}.png")


if __name__ == "__main__":
    draw_real(Path(sys.argv[1])) if len(sys.argv) > 1 else main()
