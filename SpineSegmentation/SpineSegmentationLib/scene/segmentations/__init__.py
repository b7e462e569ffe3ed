"""Segmentations of the scene: to and from label maps, with names, colours, codes and the marks of a review."""
