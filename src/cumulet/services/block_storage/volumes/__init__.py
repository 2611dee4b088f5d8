"""Volumes: the noun, from what is remembered to how the world follows."""
