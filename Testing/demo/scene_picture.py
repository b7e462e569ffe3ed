"""One picture of a scene: sagittal, coronal and axial view with the segmentation on them, and the bodies in 3D."""

from pathlib import Path

import numpy as np
import slicer
from PIL import Image, ImageDraw, ImageFont
from SlicerHost.views import SliceView, ThreeDView

BACKGROUND = (0.063, 0.071, 0.086)
# Where each view is: left, top, width, height (pixels).
PLACES = {
    "Sagittal": (0, 0, 500, 820),
    "Coronal": (506, 0, 330, 820),
    "3D": (842, 0, 420, 470),
    "Axial": (842, 476, 420, 344),
}
AROUND_MM = 55.0
"""How much is shown above and below the bodies."""
AXIAL_HEIGHT_MM = 150.0


def draw_scene(
    volumeNode: "slicer.vtkMRMLScalarVolumeNode", segmentationNode: "slicer.vtkMRMLSegmentationNode"
) -> dict[str, np.ndarray]:
    """The four views, uint8 [rows, columns, RGB]. The scene gets slice and view nodes and closed surfaces."""
    display = segmentationNode.GetDisplayNode()
    display.SetOpacity2DFill(0.35)
    segmentationNode.CreateClosedSurfaceRepresentation()
    bounds = np.zeros(6)
    (segmentationNode if segmentationNode.GetSegmentation().GetNumberOfSegments() else volumeNode).GetRASBounds(bounds)
    low, high = bounds[::2], bounds[1::2]
    middle = _middle_body(segmentationNode, (low + high) / 2)

    views = {}
    for name, (_, _, width, height) in PLACES.items():
        if name == "3D":
            view = ThreeDView((width, height), BACKGROUND)
            view.lookFrom((-1.0, 0.75, 0.2))
        else:
            view = SliceView(name, (width, height))
            centre = middle if name == "Axial" else np.array([middle[0], middle[1], (low[2] + high[2]) / 2])
            if name == "Sagittal":
                centre[1] = (low[1] + high[1]) / 2
            view.show(volumeNode, centre, AXIAL_HEIGHT_MM if name == "Axial" else high[2] - low[2] + AROUND_MM)
        views[name] = view.grab()
    return views


def _middle_body(segmentationNode: "slicer.vtkMRMLSegmentationNode", otherwise: np.ndarray) -> np.ndarray:
    """The centre (RAS) of the body halfway down the spine."""
    identifiers = segmentationNode.GetSegmentation().GetSegmentIDs()
    if not identifiers:
        return otherwise
    return np.array(segmentationNode.GetSegmentCenterRAS(identifiers[len(identifiers) // 2]))


def write_picture(views: dict[str, np.ndarray], path: Path) -> None:
    """Put the views together with their names and write them as a PNG."""
    width = max(left + w for left, _, w, _ in PLACES.values())
    height = max(top + h for _, top, _, h in PLACES.values())
    picture = Image.new("RGB", (width, height), tuple(round(255 * c) for c in BACKGROUND))
    text = ImageDraw.Draw(picture)
    for name, (left, top, _, _) in PLACES.items():
        picture.paste(Image.fromarray(views[name]), (left, top))
        text.text((left + 12, top + 9), name, fill=(235, 238, 242), font=ImageFont.load_default(18))
    picture.save(path)
