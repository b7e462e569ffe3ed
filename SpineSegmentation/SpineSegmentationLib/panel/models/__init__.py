"""The part of the panel in which a model is chosen and described."""
