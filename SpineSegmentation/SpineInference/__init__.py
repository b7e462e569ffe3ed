"""The runtime of SpineSegmentation: a spine scan in, named and measured vertebral bodies out.

`pipeline.py` shows the way of a volume on one page. Nothing heavy is imported here: neither torch nor
onnxruntime, and no part of 3D Slicer.
"""

import os

# From its import on, onnxruntime keeps a record of its use and sends it to Microsoft, unless this is there before.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

__version__ = "0.1.0"
