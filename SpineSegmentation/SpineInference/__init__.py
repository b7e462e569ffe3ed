"""The runtime of SpineSegmentation: a spine scan in, named and measured vertebral bodies out.

`pipeline.py` shows the way of a volume on one page. Nothing heavy is imported here: neither torch nor
onnxruntime, and no part of 3D Slicer.
"""

__version__ = "0.1.0"
