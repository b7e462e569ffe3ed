"""Stand-ins for what slicer-core, the core library of 3D Slicer on PyPI, lacks of the application."""
