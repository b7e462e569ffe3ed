"""The programs around `pipeline`: command line, worker process, batches and clusters."""
