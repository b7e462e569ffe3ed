"""Synthetic planar images: bone scans and radiographs."""
