"""What is handed on: measures for the archive, pages for a person to read."""
