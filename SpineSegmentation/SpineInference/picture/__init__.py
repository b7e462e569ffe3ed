"""The overview picture of a result."""
