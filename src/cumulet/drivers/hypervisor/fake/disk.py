"""Disks of pretended machines: real files, in which nothing was ever written. Pure."""

from __future__ import annotations

import struct

from cumulet.drivers.hypervisor.base import Unfit

_CLUSTER_BITS = 16
_CLUSTER = 1 << _CLUSTER_BITS
_RAW_SIZE = 1 << 20


def empty_disk(format: str, size: int) -> bytes:
    """A file that any tool takes for a disk of this size; but a raw one, which cannot be short and large, is 1 MiB."""
    if format == "raw":
        return bytes(_RAW_SIZE)
    if format == "qcow2":
        return _qcow2(size)
    raise Unfit(f"a disk cannot be copied into the format {format!r}")


def _qcow2(size: int) -> bytes:
    """Header, reference counts of the clusters used, and a table that says that no cluster of the disk is there."""
    entries = max(1, -(-size // (_CLUSTER * _CLUSTER // 8)))
    table_clusters = -(-entries * 8 // _CLUSTER)
    table, counts, block, used = 3 * _CLUSTER, _CLUSTER, 2 * _CLUSTER, 3 + table_clusters
    header = b"QFI\xfb" + struct.pack(
        ">IQIIQIIQQIIQQQQII", 3, 0, 0, _CLUSTER_BITS, size, 0, entries, table, counts, 1, 0, 0, 0, 0, 0, 4, 104
    )
    return b"".join(
        (
            header.ljust(_CLUSTER, b"\0"),
            struct.pack(">Q", block).ljust(_CLUSTER, b"\0"),
            struct.pack(f">{used}H", *([1] * used)).ljust(_CLUSTER, b"\0"),
            bytes(table_clusters * _CLUSTER),
        )
    )
