"""Volumes of the scene: their voxels, grid and properties, and the frames of sequences."""
