"""The parts of the module's panel, and its dialogs."""
