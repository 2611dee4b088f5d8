"""The archive from which a kernel unpacks its first file system: cpio in the `newc` form. Pure."""

from __future__ import annotations

import gzip
import stat
from collections.abc import Mapping

_TRAILER = "TRAILER!!!"


def archive(files: Mapping[str, tuple[int, bytes]]) -> bytes:
    """Files by path, each (mode, content), all owned by root; a directory is a mode with `S_IFDIR` and no content.

    Parents must come before what they hold. Equal files give equal bytes.
    """
    whole = b"".join(
        _entry(number, path, mode, content) for number, (path, (mode, content)) in enumerate(files.items(), 1)
    )
    return gzip.compress(whole + _entry(0, _TRAILER, 0, b""), 9, mtime=0)


def file(content: bytes, mode: int = 0o644) -> tuple[int, bytes]:
    return stat.S_IFREG | mode, content


def directory() -> tuple[int, bytes]:
    return stat.S_IFDIR | 0o755, b""


def _entry(number: int, path: str, mode: int, content: bytes) -> bytes:
    name = path.encode() + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    # inode, mode, uid, gid, links, mtime, size, four device numbers, length of the name, checksum
    fields = (number, mode, 0, 0, links, 0, len(content), 0, 0, 0, 0, len(name), 0)
    header = b"070701" + b"".join(b"%08X" % field for field in fields)
    return _padded(header + name) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
