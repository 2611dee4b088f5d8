"""Machines assigned to this node."""
