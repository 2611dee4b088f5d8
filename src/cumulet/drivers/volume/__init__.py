"""Volumes: `fake` for simulation, `files` for disks in a directory."""
