"""The training loop: losses, Lightning module, callbacks, validation, run folders."""
