"""Synthetic images with exact references."""
