"""The libraries, how their calls are declared, and errors that have names."""

from __future__ import annotations

import ctypes
import errno
import os
from ctypes import POINTER, Structure, c_char_p, c_int, c_int64, c_size_t, c_ssize_t, c_uint64, c_void_p
from functools import cache
from typing import Any

RADOS, RBD = "librados.so.2", "librbd.so.1"


class Unreachable(Exception):
    """The cluster cannot be read or written now; the message says why."""


class Full(Exception):
    """The cluster has no room."""


class Missing(Exception):
    """There is no image, snapshot or word of this name."""


class Exists(Exception):
    """An image or a snapshot has this name."""


class Busy(Exception):
    """Somebody has the image open, or others are clones of it."""


_NAMED: dict[int, type[Exception]] = {
    errno.ENOENT: Missing,
    errno.EEXIST: Exists,
    errno.EBUSY: Busy,
    errno.ENOTEMPTY: Busy,
    errno.ENOSPC: Full,
    errno.EDQUOT: Full,
}


class SnapshotRecord(Structure):
    _fields_ = (("id", c_uint64), ("size", c_uint64), ("name", c_char_p))


class WatcherRecord(Structure):
    _fields_ = (("address", c_char_p), ("id", c_int64), ("cookie", c_uint64))


@cache
def library(name: str) -> Any:
    try:
        library = ctypes.CDLL(name)
    except OSError as error:
        raise Unreachable(f"Ceph needs {name}: install the package librbd1.") from error
    if name == RBD:
        library.rbd_read.restype = library.rbd_write.restype = c_ssize_t
        library.rbd_read.argtypes = library.rbd_write.argtypes = [c_void_p, c_uint64, c_size_t, c_char_p]
        library.rbd_resize.argtypes = [c_void_p, c_uint64]
        library.rbd_clone.argtypes = [c_void_p, c_char_p, c_char_p, c_void_p, c_char_p, c_uint64, POINTER(c_int)]
        library.rbd_snap_get_namespace_type.argtypes = [c_void_p, c_uint64, POINTER(c_int)]
    return library


def done(code: int, doing: str) -> int:
    """The result of a call. Raises what its error means."""
    if code >= 0:
        return code
    raise _NAMED.get(-code, Unreachable)(f"Ceph: {doing}: {os.strerror(-code)}")
