"""Groups of volumes, and snapshots of whole groups."""
