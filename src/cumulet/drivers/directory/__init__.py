"""Directories of people and groups that others keep: asked, never written."""
