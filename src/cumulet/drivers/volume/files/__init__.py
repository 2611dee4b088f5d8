"""Volumes as files: one qcow2 file each, that refers to no other.

Copies are full copies, so no volume lives off another's file, and deleting is deleting. Snapshots lie inside the file:
taking one is quick, whether the volume is open (then its machine does it) or not, and what belongs to a snapshot is
never written again, so that a new volume can be copied from it while a guest goes on writing.

A volume appears when it is complete: it is made among the parts, which go at the start, and then renamed. One process
uses the folder.

`volumes.py` is the driver, with its pieces in `place.py`, `making.py`, `content.py` and `copying.py`; `folder.py` says
where each volume lies, `tool.py` runs `qemu-img`, and `exports.py` offers volumes to machines of other nodes.
"""
