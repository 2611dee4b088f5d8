"""Volumes assigned to this node's backends."""
