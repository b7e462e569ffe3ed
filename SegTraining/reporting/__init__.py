"""Reports, tables, charts and pictures of data and runs."""
