"""NIfTI, NRRD and MetaImage: the header understood, the voxels read to the last byte.

ITK reads them too, but not always what it was given: of `case.nii.gz` it takes the voxels of a `case.nii` beside it,
it fills up what is missing, passes over checksums and units, takes a header that says nothing for 1 mm and a NIfTI
header whose two geometries differ for one of them, and ends the process where a name is not UTF-8. Here the bytes that
are checked are those that are read, and what a header leaves open is told or refused.
"""
