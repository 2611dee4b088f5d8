"""Ports: where a device is connected to a network."""
