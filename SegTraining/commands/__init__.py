"""The commands of `segtraining`, a file each: its arguments (`add_to`), and what it does with them.

What is heavy is imported by the command that needs it.
"""
