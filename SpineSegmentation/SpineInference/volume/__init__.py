"""The voxels on their way: geometry, preprocessing, slices of the planes, fusion, clean masks, and back."""
