"""What a qcow2 file says of itself, read without running anything. Only for files that this program had written."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_HEADER = struct.Struct(">4sIQIIQIIQQIIQ")
"""magic, version, backing file's offset and size, cluster bits, size, encryption, L1's size and offset, the offset and
clusters of the refcount table, number of snapshots, their offset"""
_FEATURES = struct.Struct(">Q")
"""What follows in files of version 3: what a program must know to read the file at all."""
_EXTERNAL_DATA = 1 << 2
_SNAPSHOT = struct.Struct(">QIHHIIQII")
"""L1 offset and size, sizes of id and name, two times, clock, size of state, size of what else is known"""
_MAX_SNAPSHOTS = 65536


class NotQcow2(Exception):
    """The file is no qcow2 file, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Header:
    """The disk in the file."""

    virtual_size: int
    snapshots: Mapping[str, int]
    """The snapshots inside by name, each with the size that the disk had then; the oldest first."""
    encrypted: bool = False
    backed: bool = False
    """What is not in it is read from another file, which it names."""
    external_data: bool = False
    """The bytes of the disk are in another file, which this one names."""


def read_header(path: Path) -> Header:
    """Raises `NotQcow2` and OSError."""
    with path.open("rb") as file:
        head = file.read(_HEADER.size)
        if len(head) < _HEADER.size or head[:4] != b"QFI\xfb":
            raise NotQcow2(str(path))
        fields = _HEADER.unpack(head)
        try:
            features = _FEATURES.unpack(file.read(_FEATURES.size))[0] if fields[1] >= 3 else 0
            return Header(
                virtual_size=fields[5],
                snapshots=_snapshots(file, fields[5], count=fields[11], offset=fields[12]),
                encrypted=bool(fields[6]),
                backed=bool(fields[2]),
                external_data=bool(features & _EXTERNAL_DATA),
            )
        except (struct.error, OverflowError, UnicodeDecodeError) as error:
            raise NotQcow2(str(path)) from error


def _snapshots(file: BinaryIO, size_now: int, *, count: int, offset: int) -> dict[str, int]:
    found = {}
    file.seek(offset)
    for _ in range(min(count, _MAX_SNAPSHOTS)):
        fields = _SNAPSHOT.unpack(file.read(_SNAPSHOT.size))
        id_size, name_size, more_size = fields[2], fields[3], fields[8]
        more = file.read(more_size)
        file.seek(id_size, 1)
        name = file.read(name_size).decode()
        # The oldest files do not tell the size: theirs could not change.
        found[name] = struct.unpack_from(">Q", more, 8)[0] if more_size >= 16 else size_now
        # Entries begin at multiples of eight bytes.
        file.seek(-(_SNAPSHOT.size + more_size + id_size + name_size) % 8, 1)
    return found
