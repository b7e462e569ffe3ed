"""Predictions and scores of whole volumes, and their statistics."""
