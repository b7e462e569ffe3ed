"""The worker process, and what is carried out in it."""
