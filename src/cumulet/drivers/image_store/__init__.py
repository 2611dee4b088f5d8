"""Bytes of images: `files` in a folder, `s3`, `swift` and `rbd` (Ceph) over a network, `memory` in simulation.

`web` only reads what lies on web servers.
"""
