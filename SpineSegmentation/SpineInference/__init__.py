"""The runtime of SpineSegmentation: a spine scan in, named and measured vertebral bodies out.

`pipeline.py` shows the way of a volume on one page; around it stand the doors (`cli`, `worker`, `batch`, `cluster`) and
what they share (`requests`, `options`, `runner`, `results`, `engines`, `devices`). The folders hold the steps:

    files      scans, results and folders on disk
    models     model packages and their catalog
    networks   the architectures, in torch
    volume     geometry, preprocessing, slices, fusion, clean masks, and the way back
    spine      from a mask to vertebrae: told apart, ordered, named
    measuring  what is measured of them, and their agreement with a reference
    picture    the overview picture

Nothing heavy is imported here: neither torch nor an engine of the CPU, and no part of 3D Slicer.
"""

import os

# From its import on, onnxruntime keeps a record of its use and sends it to Microsoft, unless this is there before.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
