"""The Slicer side of SpineSegmentation: between the MRML scene and the runtime in SpineInference.

The scene
    VolumeExchange, VolumeInfo   volume node <-> SimpleITK image, exactly; what a volume is
    SegmentationScene            label map -> segmentation node with names, colours and codes
    SegmentationLabels           segmentation node -> label map on the voxels of a volume
    SegmentationReplacement      a result in place of segments that can be brought back
    MeasurementTable             measurements -> table node, and back
    ResultPlots, ResultViews     charts, the layout for them, the way to a vertebra
    ResultImport, ResultExport   the result of a worker -> all of these -> files
    SampleScan                   the scan that comes with the module

The worker
    WorkerProtocol               what a worker says: bytes -> progress, answer, errors
    WorkerProcess                a child process that takes requests, one after the other
    SegmentationRun              one press of Segment, from the volume node to the nodes of the result
    Errand                       downloads, imports, looking for devices
    Dependencies                 what has to be installed

The panel, put together in SpineSegmentation.py
    InputSection, ModelSection, OptionsSection, RunSection, ResultSection
                                 its parts, each with one job; PanelSection is what they share
    ChoiceBox, Dialogs, ModelDetails, RunProgress, Sentences
                                 what these use

    SelfTest                     the test that Slicer runs
"""
