"""What reads and writes the MRML scene: volumes, segmentations, tables, plots and views."""
