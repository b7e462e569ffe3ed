"""Engines run a model's network on a device: one file each, behind one interface."""
