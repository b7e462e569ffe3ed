"""The section of the panel with the measures of the spine."""
