"""The way of a volume, whole: a scan in, named and measured segments on the scan's own grid out.

size and position, if a single slice does not tell them           single_slice.py
canonical orientation, working grid, bias field, intensities    preprocessing.py
-> evened out, if a surface coil hides the vertebrae             lighting.py
-> where the spine is, if vertebrae are looked for               region.py
-> shown larger, where its bodies are small                      magnification.py
-> every slice of every plane through its network                whole_plane.py, engines.py
-> one probability volume per label                              fusion.py
-> clean classes                                                 postprocessing.py
-> vertebrae: separated, ordered, named; the discs beside them   column.py
-> exactly the scan's grid                                       regridding.py
-> heights, volumes, agreement with a reference                  measurements.py
-> deformities, slips, curves, discs and canal                   spine_measures.py
"""

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import SimpleITK as sitk

from .anatomy import DISC_OFFSET
from .engines.devices import choose_device
from .engines.engine import Engine
from .engines.engine_cache import EngineCache
from .measuring.measured_segments import MeasuredSegments, measure_segments, note_thick_slices
from .measuring.reference import check_values, fitting_reference, strange_bodies
from .models.catalog import ModelSet, recipe_of
from .models.manifest import Manifest
from .models.model_package import ONNX, ModelPackage
from .monitor import Monitor
from .options import SegmentationOptions
from .prediction.fusion import Fusion
from .prediction.lighting import Lit, even_where_it_helps, expects_shading, note_shading
from .prediction.magnification import MOST, Look, larger_for, look_closely, magnified
from .prediction.planes import finest_first, packages_to_run, shares_of
from .prediction.region import Region, clear_inner_faces, find_region
from .prediction.regridding import to_scan_grid
from .prediction.whole_plane import add_prediction
from .processors import use_processors
from .result import Result
from .spine.column import find_column
from .spine.level_recognition import Proposal, propose_levels
from .spine.quality import needs_review
from .spine.single_slice import place_slice
from .volume import postprocessing
from .volume.boxes import counted_from
from .volume.dilation import dilated
from .volume.geometry import (
    PLANES,
    check_geometry,
    crop,
    spacing_ipl,
    working_grid,
)
from .volume.preprocessing import normalised, on_working_grid
from .volume.slice_placement import placed

LOOKED_AT_AGAIN = 32_000_000
"""Voxels that a scan may have, shown twice as large, to be looked at so where nothing was seen before: bodies that
cannot be seen as they are lie in small children, whose scans are small."""
COLUMN_ENDS_MM = 4.0
"""Beyond slices of so much that show nothing of the column there is none of it."""


def segment(
    scan: sitk.Image,
    models: ModelSet,
    options: SegmentationOptions | None = None,
    reference: sitk.Image | None = None,
    monitor: Monitor | None = None,
    engines: EngineCache | None = None,
) -> Result:
    """Segment a 3D scalar `scan` (any orientation and spacing) with a set of 2D networks.

    `reference`, a label map on the scan's grid, is what the result is compared with. Vertebrae become single,
    named bodies, any other label of the model one segment (see `Manifest.structures`). Raises SpineError, before any
    work, for input and options that cannot be used, and Cancelled.
    """
    options, engines = options or SegmentationOptions(), engines or EngineCache()
    notes: list[str] = []
    monitor = (monitor or Monitor()).collecting(notes)
    seconds = _Stopwatch()

    use_processors(options.threads)
    check_geometry(scan)
    if reference is not None:
        reference = fitting_reference(reference, scan)
    device = choose_device(options.device, options.precision)

    def engine_for(package: ModelPackage) -> Engine:
        return engines.get(package, device, options.threads, monitor)

    grid = scan
    with seconds("placing"):
        if placement := place_slice(scan, models.packages, options, engine_for, monitor):
            scan = placed(scan, placement)
            options = replace(options, planes=(placement.plane,))
    packages = packages_to_run(models, options, scan, monitor)
    levels = [models.levels] if models.levels else []
    engines.prepare([*finest_first(packages, scan), *levels], device, options.threads, monitor)
    recipe = recipe_of(packages)
    if reference is not None and recipe.vertebra_class is None:
        check_values(reference, list(recipe.structures.values()))

    def finders() -> list[ModelPackage]:
        """Those that know vertebrae, by which everything else is found."""
        return [one for one in finest_first(packages, scan) if one.manifest.vertebra_class is not None]

    def prepared(spacing_mm: float) -> Lit:
        with seconds("preprocessing"):
            monitor.progress("preprocessing", 0, 1)
            bias = recipe.input.bias_correction if options.bias_correction is None else options.bias_correction
            own = on_working_grid(scan, spacing_mm, bias, monitor)
        with seconds("shading"):
            if options.bias_correction is not None or not expects_shading(recipe):
                return Lit(normalised(own, recipe.input.intensity))
            judge = finders()[0]
            return even_where_it_helps(own, judge.manifest, engine_for(judge), monitor)

    def find(lit: Lit) -> Region | None:
        with seconds("region"):
            return find_region(lit.image, finders(), engine_for, monitor, lit.seen)

    # A network tied to a canvas was trained on whole slices and would see something else in a part of one.
    if recipe.vertebra_class is not None and recipe.input.canvas is None:
        larger = working_grid(scan, recipe.input.spacing_mm / MOST).size
        again = math.prod(larger) <= LOOKED_AT_AGAIN
        look = look_closely(prepared, find, recipe.input.spacing_mm, again)
        restricted = options.restrict_to_spine and 1 not in scan.GetSize()
    else:
        look, restricted = Look(prepared(recipe.input.spacing_mm)), False
    note_shading(look.lit.shading_removed, monitor)

    working, volume = look.lit.image, sitk.GetArrayViewFromImage(look.lit.image)
    box = tuple(slice(0, length) for length in volume.shape)
    if nothing_there := restricted and look.region is None:
        box = (slice(0, 1),) * 3
    elif restricted:
        box = look.region.box
    region = crop(working, box)

    shape = tuple(reversed(region.GetSize()))
    fusion = Fusion(shape, options.fusion, recipe.output, len(recipe.labels), recipe.holders)
    used: dict[str, None] = {}
    members = [] if nothing_there else packages
    for package, shares in zip(members, shares_of(members, scan, look.factor, recipe.labels), strict=True):
        with seconds(f"network, {package.manifest.plane}"):
            # What lies beside the vertebrae is nothing to a network that knows only these.
            seen = look.region.vertebrae if restricted and package.manifest.finds_only_vertebrae else box
            shown = magnified(crop(working, seen), larger_for(package, look.factor))
            # Of the column alone every sagittal and coronal slice between its sides shows some; between two axial ones
            # of vertebrae lies a disc.
            is_column = restricted and package.manifest.finds_only_the_column and package.manifest.plane != "axial"
            ends_after_mm, part = COLUMN_ENDS_MM if is_column else None, fusion.within(counted_from(box, seen))
            engine = engine_for(package)
            add_prediction(part, shown, package, shares, engine, monitor, ends_after_mm)
            used[engine.describe()] = None

    with seconds("post-processing"):
        monitor.progress("post-processing", 0, 1)
        spec = options.postprocessing or recipe.postprocessing
        fused = fusion.settled()
        about = spec, spacing_ipl(region), recipe.vertebra_class, monitor, recipe.holders
        classes = postprocessing.apply(fused.classes(), *about)
        label_of = np.zeros(len(recipe.labels) + 1, np.uint8)
        for number, structure in recipe.structures.items():
            label_of[number] = structure.label
        labels = label_of[classes]

    column = None
    if recipe.vertebra_class:
        with seconds("vertebrae"):
            monitor.progress("vertebrae", 0, 1)
            mask = classes == recipe.vertebra_class
            clear_inner_faces(mask, box, volume.shape)
            discs = classes == recipe.disc_class if recipe.disc_class else None
            probability = fused.class_probabilities[recipe.vertebra_class - 1]

            def propose(centres: np.ndarray) -> Proposal | None:
                if models.levels is None:
                    return None
                engine, centres = engine_for(models.levels), centres + [s.start for s in box]
                return propose_levels(volume, spacing_ipl(working), centres, models.levels.manifest, engine)

            column = find_column(mask, discs, probability, recipe, spacing_ipl(region), propose, options, monitor)
            labels += column.labels

    with seconds("back to the scan"):
        labels = dilated(to_scan_grid(labels, classes, fused, region, scan), spec.dilate_mm)

    labels.CopyInformation(grid)

    with seconds("measuring"):
        monitor.progress("measuring", 0, 1)
        bodies, discs, partial = (column.bodies, column.discs, column.partial) if column else (None, [], set())
        naming, qualities = (column.naming, column.qualities) if column else (None, None)
        structures = [*discs, *recipe.structures.values()]
        found = labels, bodies, structures, partial, reference
        measured = measure_segments(*found, grid, placement, naming, qualities)

    if unknown := [label for label in recipe_of(models.packages).labels if label not in recipe.labels]:
        known = next(each.manifest.plane for each in models.packages if unknown[0] in each.manifest.labels)
        names = ", ".join(label.name for label in unknown)
        monitor.note(f"Not looked for: {names}, which only the network of the {known} plane knows.")
    _explain(measured, recipe, monitor)
    if reference is not None and recipe.vertebra_class:
        _explain_reference(strange_bodies(labels, reference, [each.label for each in structures]), recipe, monitor)
    checksums = {package.manifest.name: package.manifest.files[ONNX] for package in packages}
    return Result(
        labels=labels,
        **vars(measured),
        models=list(checksums),
        planes=sorted({package.manifest.plane for package in packages}, key=PLANES.index),
        device=device,
        timings=seconds.spent,
        notes=notes,
        placement=placement,
        shading_removed=look.lit.shading_removed,
        model_checksums=checksums,
        engine="; ".join(used),
    )


def _explain(measured: MeasuredSegments, recipe: Manifest, monitor: Monitor) -> None:
    """Notes about what is not in the table, what is doubtful in it, and what cannot be told."""
    measurements, present = measured.measurements, {segment.label for segment in measured.segments}
    absent = [row.level for row in measurements.structures if row.label not in present]
    missing = [f"Not found in this scan: {', '.join(absent)}"] if absent else []
    if recipe.vertebra_class and not measurements.vertebrae:
        missing = ["No vertebral body was found in this scan"]
    elif recipe.vertebra_class and missing:  # off the middle of a spine there is no canal
        monitor.note(f"{missing.pop()}.")
    for what in missing:
        monitor.note(
            f"{what}: the model is made for {recipe.modality} of the {recipe.anatomy}; check that this is what the "
            "scan shows."
        )
    doubtful = [body.level for body in measurements.vertebrae if needs_review(body.quality)]
    if doubtful:
        monitor.note(f"Look first at {', '.join(doubtful)}: there the planes disagree or the network is not sure.")
    note_thick_slices(measured.morphometry, monitor)


def _explain_reference(strange: list[int], recipe: Manifest, monitor: Monitor) -> None:
    """A note about values of a reference that were compared with bodies, but are none."""
    own = [f"{DISC_OFFSET} + the vertebra above for discs"] if recipe.disc_class else []
    own += [f"{structure.label} for {structure.name}" for structure in recipe.structures.values()]
    if strange:
        monitor.note(
            f"Compared as bodies, but hardly any: {', '.join(map(str, strange))} in the reference. The values are "
            f"{', '.join(own)}."
        )


class _Stopwatch:
    def __init__(self):
        self.spent: dict[str, float] = {}

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.spent[stage] = self.spent.get(stage, 0.0) + time.perf_counter() - started
