"""Volumes that are plain rows of bytes, in a store which takes snapshots of them and makes one of another.

`volumes.py` is the driver, with its pieces in `place.py`, `making.py` and `content.py`; `store.py` says what it needs
of a store; `rbd.py` and `files.py` are stores. `bench.py` carries bytes into volumes and out of them, `targets.py`
offers them to initiators of iSCSI.
"""
