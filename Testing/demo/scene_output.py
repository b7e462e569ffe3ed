"""Puts a result into a real MRML scene and saves it the way Slicer does. Needs slicer-core."""

from pathlib import Path

import slicer
from scene_picture import draw_scene, write_picture
from SlicerHost.core import startScene
from SlicerHost.views import canDrawOffScreen

from SpineInference.app.record import Record
from SpineInference.files.reading import read_volume
from SpineSegmentationLib.scene.results.ResultImport import importResult
from SpineSegmentationLib.scene.volumes.VolumeExchange import addVolume


def write_scene(record: Record, folder: Path, output: Path) -> dict[str, Path]:
    """The scene of the result in `folder` as `output`/scene.mrb and, where there is OpenGL, a picture of its views.

    Returns the files by what they are. Raises SpineError for a scan that has changed since, OSError for a full disk.
    """
    startScene()
    volumeNode = addVolume(read_volume(record.scan), folder.name)
    result = importResult(record, folder, volumeNode)
    written = {}
    if canDrawOffScreen():
        written["views of the scene"] = output / "scene.png"
        write_picture(draw_scene(volumeNode, result.segmentationNode), written["views of the scene"])
    else:
        print("No picture of the scene: this machine has no OpenGL, not even in software (libEGL or libOSMesa).")
    written["scene for 3D Slicer"] = output / "scene.mrb"
    save_scene(written["scene for 3D Slicer"])
    return written


def save_scene(path: Path) -> None:
    """Write `slicer.mrmlScene` with all its data as a .mrb; `path` must be absolute."""
    path.unlink(missing_ok=True)  # Slicer asks before it replaces a file; without the application it refuses
    if not slicer.mrmlScene.WriteToMRB(str(path)):
        raise OSError(f"{path} cannot be written")
