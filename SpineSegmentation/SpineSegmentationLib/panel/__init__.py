"""The parts of the module's panel, a room for each; what all of them use lies beside the rooms."""
