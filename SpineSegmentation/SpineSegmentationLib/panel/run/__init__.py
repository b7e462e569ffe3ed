"""The parts of the panel from the scan to its segmentation: input, options, button and progress."""
