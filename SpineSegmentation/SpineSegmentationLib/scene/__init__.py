"""What reads and writes the MRML scene: volumes, segmentations on them, and results with all that belongs to them."""
