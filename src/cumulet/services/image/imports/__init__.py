"""Imports: images that get their bytes after the answer, by tasks that survive the process which runs them."""
