"""The Slicer side of SpineSegmentation: between the MRML scene and the runtime in SpineInference.

Imports go one way: scene <- worker <- panel.

scene/
    VolumeExchange, VolumeInfo   volume node <-> SimpleITK image; size, spacing and modality of a volume
    SegmentationScene            label map -> segmentation node with names, colours and codes
    SegmentationLabels           segmentation node -> label map on the grid of a volume
    SegmentationReplacement      a result in place of existing segments, which can be restored
    MeasurementTable             measurements -> table node, and back
    SegmentShapes                whether segments are those that were measured
    ResultNodes                  which results are in the scene, of which scan and run
    ScansOverview, SequenceFrames
                                 the table over several scans; the frames of a sequence as scans
    ResultPlots, ResultViews     charts, the layout for them, a result on its scan, the jump to a vertebra
    ResultImport, ResultExport   the result of a worker -> nodes -> files
    SampleScan                   the sample scans: two files of the module, and one on the web

worker/
    WorkerProtocol               the output of a worker: bytes -> progress, answer, errors
    WorkerProcess                a child process that takes requests, one after the other
    ExchangeFolder               the temporary folder for the scan and its result
    SegmentationRun              one segmentation, from the volume node to the nodes of the result
    SeveralScans                 one run for each of several scans
    Remeasurement                the measurements of a corrected segmentation
    CaseSaving                   a corrected segmentation becomes a training case
    BackgroundTask               downloads, imports, listing devices
    SampleDownload               the sample scan on the web, for the Sample Data module
    Dependencies                 the Python packages that have to be installed

panel/, put together in SpineSegmentation.py
    InputSection, ModelSection, OptionsSection, RunSection, ResultSection
                                 the parts of the panel; PanelSection is their base class
    ResultChooser, ResultTable, ResultSummary, ExportMenu, TrainingCaseDialog, RunProgress, ModelDetails
                                 parts of these
    scans/                       the part for several scans, and its list
    ChoiceBox, Dialogs, Sight, UserMessages
                                 helpers

SelfTest                         the test that Slicer runs
"""
