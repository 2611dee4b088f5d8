"""Moves: a server on its way from one size or host to another. The API calls them migrations."""
