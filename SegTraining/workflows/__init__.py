"""Several steps in one: fine-tuning a set of models, cross-validation."""
