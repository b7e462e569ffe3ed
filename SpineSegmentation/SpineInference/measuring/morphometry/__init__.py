"""What radiologists measure of a spine, from its vertebral bodies: deformities, slips and curves."""
