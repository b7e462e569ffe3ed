"""From data to settings: what a data set holds, and what follows from it for a training."""
