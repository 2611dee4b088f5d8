"""Snapshots: what a volume held at one moment, kept beside it on its node."""
