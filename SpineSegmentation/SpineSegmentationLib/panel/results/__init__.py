"""The part of the panel with a result: its table, review, editing, export and training case."""
