"""Volumes that are plain rows of bytes, in a store which takes snapshots of them and makes one of another.

`volumes.py` is the driver; `store.py` says what it needs of a store; `rbd.py` and `files.py` are the stores.
`bench.py` carries bytes into volumes and out of them, `targets.py` offers them to initiators of iSCSI.
"""
