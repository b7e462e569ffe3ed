"""Scans, results and folders on disk: read, checked, written aside and put in place."""
