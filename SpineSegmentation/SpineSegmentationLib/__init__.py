"""The Slicer side of SpineSegmentation: between the MRML scene and the runtime in SpineInference.

Imports go one way: scene <- worker <- panel, and within these folders in the order below.

ParameterNode                    what is chosen in the panel, saved with the scene

scene/volumes/
    VolumeExchange, VolumeInfo   volume node <-> SimpleITK image; size, spacing and modality of a volume
    SequenceFrames               the frames of a sequence as scans
scene/segmentations/
    SegmentationScene            label map -> segmentation node with names, colours and codes
    SegmentationLabels           segmentation node -> label map on the grid of a volume
    ReviewMarks                  which segments a person has checked
scene/SampleScan                 the sample scans: two files of the module, and one on the web
scene/results/
    MeasurementTable             measurements -> table node, and back
    SegmentShapes                whether segments are those that were measured
    SpineMeasures                the measures of the spine, and their lines in the views
    ResultNodes                  which results are in the scene, of which scan and run
    PointNodes, ResultPoints     markups that belong to a result; points of bodies, discs and canal
    SegmentationReplacement      a result in place of existing segments, which can be restored
    ResultPlots, ResultViews     charts, the layout for them, a result on its scan, the jump to a vertebra
    ResultImport, ResultExport   the result of a worker -> nodes -> files
    ScansOverview                the table over several scans

worker/
    WorkerProtocol               the output of a worker: bytes -> progress, answer, errors
    WorkerProcess                a child process that takes requests, one after the other
    ExchangeFolder               the temporary folder for the scan and its result
    SegmentationRun              one segmentation, from the volume node to the nodes of the result
    SeveralScans                 one run for each of several scans
    Remeasurement                the measurements of a corrected segmentation
    CaseSaving                   a corrected segmentation becomes a training case
    CurrentRun                   the one of these four that is going on
    BackgroundTask               downloads, imports, listing devices
    SampleDownload               the sample scan on the web, for the Sample Data module
    Dependencies                 the Python packages that have to be installed

panel/, put together in SpineSegmentation.py
    ChoiceBox, Dialogs, GuiConnection, PanelSection, SceneWatcher, Sight, TableHeight, UserMessages
                                 what all parts use; PanelSection is their base class
panel/models/                    ModelSection, with ModelDetails
panel/run/                       InputSection, OptionsSection, RunSection, with RunProgress and ResultSummary
panel/results/                   ResultSection, with ResultChooser, ResultTable, Review, ExportMenu,
                                 TrainingCaseDialog; ShownChoice for the views
panel/measures/, panel/scans/    MeasuresSection and ScansSection with their tables and lists

SelfTest                         the test that Slicer runs
"""
