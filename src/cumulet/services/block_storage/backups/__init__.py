"""Backups: what a volume held at one moment, kept in a store that outlives the volume and its node."""
