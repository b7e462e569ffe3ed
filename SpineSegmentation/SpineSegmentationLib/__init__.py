"""The Slicer side of SpineSegmentation: between the MRML scene and the runtime in SpineInference.

VolumeExchange     volume node <-> SimpleITK image, exactly
SegmentationScene  label map -> segmentation node with names, colours and codes
MeasurementTable   measurements -> table node
ResultImport       the result of a worker -> all of these
"""
