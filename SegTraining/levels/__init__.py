"""The network that recognises vertebral levels."""
