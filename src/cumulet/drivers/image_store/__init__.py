"""Bytes of images: `memory` for simulation, `files` for a directory."""
