"""Volumes: `fake` for simulation, `files` for disks in a folder, `nfs` for such a folder on a share, `raw` for others.

What the real ones share is `parts.py` (what is being made), `turns.py` (who may work on what) and `failing.py` (how
they fail).
"""
