"""DICOM series of MR slices, with all that a segmentation or a report of them needs."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk


def write_series(volume: sitk.Image, folder: Path, number: int = 1) -> Path:
    """Write `volume` (3D, unsigned 16 bit) as a series of one image for each slice; the order of the files is not that
    of the places."""
    pydicom = pytest.importorskip("pydicom")
    folder.mkdir()
    study, series, frame = (pydicom.uid.generate_uid() for _ in range(3))
    rows, columns, normals = np.reshape(volume.GetDirection(), (3, 3)).T
    array, spacing = sitk.GetArrayFromImage(volume), volume.GetSpacing()
    places = np.random.default_rng(0).permutation(len(array))
    for file, place in enumerate(places):
        image = pydicom.Dataset()
        image.file_meta = pydicom.dataset.FileMetaDataset()
        image.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
        image.SOPClassUID = image.file_meta.MediaStorageSOPClassUID = pydicom.uid.MRImageStorage
        image.SOPInstanceUID = image.file_meta.MediaStorageSOPInstanceUID = pydicom.uid.generate_uid()
        image.StudyInstanceUID, image.SeriesInstanceUID, image.FrameOfReferenceUID = study, series, frame
        image.PatientID, image.PatientName, image.Modality = "p1", "Mustermann^Erika", "MR"
        image.PatientBirthDate = image.PatientSex = image.StudyDate = image.StudyTime = image.StudyID = ""
        image.AccessionNumber = image.ReferringPhysicianName = ""
        image.SeriesNumber, image.InstanceNumber = number, file + 1
        image.Rows, image.Columns, image.SamplesPerPixel = *array.shape[1:], 1
        image.PhotometricInterpretation = "MONOCHROME2"
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 0
        image.PixelSpacing, image.SliceThickness = [spacing[1], spacing[0]], spacing[2]
        image.ImageOrientationPatient = [round(float(x), 8) for x in (*rows, *columns)]
        origin = np.array(volume.GetOrigin()) + place * spacing[2] * normals
        image.ImagePositionPatient = [round(float(x), 4) for x in origin]
        image.PixelData = array[place].astype(np.uint16).tobytes()
        image.save_as(folder / f"{file}.dcm", enforce_file_format=True)
    return folder
