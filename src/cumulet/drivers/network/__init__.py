"""Networking of a node: `fake` for simulation, `linux` for real."""
