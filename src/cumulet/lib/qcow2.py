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
_MOST_MORE = 1024
"""What QEMU itself takes of what else is known of a snapshot."""
_LOOKS = 10


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
    with path.open("rb", buffering=0) as file:
        try:
            return header_in(file)
        except NotQcow2 as error:
            raise NotQcow2(f"{path}: {error}") from None


def header_in(file: BinaryIO) -> Header:
    """Of a file that another program may be writing to: it puts a new list of snapshots elsewhere and turns the header
    to it, so what was read while the header changed is of no worth, and read again. Raises `NotQcow2` and OSError."""
    head, found = _head(file), None
    for _ in range(_LOOKS):
        try:
            found = _header(file, head)
        except (struct.error, OverflowError, UnicodeDecodeError):
            found = None
        before, head = head, _head(file)
        if head == before:
            break
    if found is None:
        raise NotQcow2("no qcow2 file, or a damaged one")
    return found


def _header(file: BinaryIO, head: bytes) -> Header | None:
    if head[:4] != b"QFI\xfb":
        return None
    fields = _HEADER.unpack_from(head)
    features = _FEATURES.unpack_from(head, _HEADER.size)[0] if fields[1] >= 3 else 0
    return Header(
        virtual_size=fields[5],
        snapshots=_snapshots(file, fields[5], count=fields[11], offset=fields[12]),
        encrypted=bool(fields[6]),
        backed=bool(fields[2]),
        external_data=bool(features & _EXTERNAL_DATA),
    )


def _head(file: BinaryIO) -> bytes:
    file.seek(0)
    return file.read(_HEADER.size + _FEATURES.size)


def _snapshots(file: BinaryIO, size_now: int, *, count: int, offset: int) -> dict[str, int]:
    found = {}
    file.seek(offset)
    for _ in range(min(count, _MAX_SNAPSHOTS)):
        fields = _SNAPSHOT.unpack(file.read(_SNAPSHOT.size))
        id_size, name_size, more_size = fields[2], fields[3], fields[8]
        if more_size > _MOST_MORE:
            raise struct.error("no list of snapshots")
        more = file.read(more_size)
        file.seek(id_size, 1)
        name = file.read(name_size).decode()
        # The oldest files do not tell the size: theirs could not change.
        found[name] = struct.unpack_from(">Q", more, 8)[0] if more_size >= 16 else size_now
        # Entries begin at multiples of eight bytes.
        file.seek(-(_SNAPSHOT.size + more_size + id_size + name_size) % 8, 1)
    return found
