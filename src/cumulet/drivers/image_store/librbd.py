"""The few calls of librados and librbd that an image store needs, with errors that have names.

They are called through ctypes, which lets other threads run meanwhile; so one program works with any Python and needs
nothing but Debian's librbd1.
"""

from __future__ import annotations

import ctypes
import errno
import os
import threading
from ctypes import byref, c_char_p, c_int, c_size_t, c_ssize_t, c_uint64, c_void_p
from functools import cache
from typing import Any

from cumulet.drivers.image_store.base import StoreFull, Unreachable

RADOS, RBD = "librados.so.2", "librbd.so.1"
ORDER = 22
"""Objects of 4 MiB."""
SECONDS = "30"
"""How long a cluster may keep us waiting for an answer."""


class Missing(Exception):
    """There is no image of this name."""


class Exists(Exception):
    """An image has this name."""


class Busy(Exception):
    """Somebody has the image open."""


_NAMED: dict[int, type[Exception]] = {
    errno.ENOENT: Missing,
    errno.EEXIST: Exists,
    errno.EBUSY: Busy,
    errno.ENOSPC: StoreFull,
    errno.EDQUOT: StoreFull,
}


@cache
def _library(name: str) -> Any:
    try:
        library = ctypes.CDLL(name)
    except OSError as error:
        raise Unreachable(f"Ceph needs {name}: install the package librbd1.") from error
    if name == RBD:
        library.rbd_read.restype = library.rbd_write.restype = c_ssize_t
        library.rbd_read.argtypes = library.rbd_write.argtypes = [c_void_p, c_uint64, c_size_t, c_char_p]
        library.rbd_resize.argtypes = [c_void_p, c_uint64]
    return library


def _done(code: int, doing: str) -> int:
    """The result of a call. Raises what its error means."""
    if code >= 0:
        return code
    raise _NAMED.get(-code, Unreachable)(f"Ceph: {doing}: {os.strerror(-code)}")


class Pool:
    """One pool, connected to when it is first used. Calls block; any thread may make them."""

    def __init__(self, name: str, user: str, conf: str) -> None:
        self._name, self._user, self._conf = name, user, conf
        self._cluster = c_void_p()
        self._context = c_void_p()
        self._connected = False
        self._connecting = threading.Lock()

    def create(self, name: str) -> Volume:
        order = c_int(ORDER)
        context = self._connect()
        _done(_library(RBD).rbd_create(context, name.encode(), c_uint64(0), byref(order)), f"making {name}")
        return self.open(name)

    def open(self, name: str) -> Volume:
        handle = c_void_p()
        code = _library(RBD).rbd_open(self._connect(), name.encode(), byref(handle), None)
        _done(code, f"opening {name}")
        return Volume(handle, name)

    def remove(self, name: str) -> None:
        _done(_library(RBD).rbd_remove(self._connect(), name.encode()), f"removing {name}")

    def rename(self, name: str, new: str) -> None:
        _done(_library(RBD).rbd_rename(self._connect(), name.encode(), new.encode()), f"renaming {name}")

    def names(self) -> list[str]:
        size = c_size_t(1 << 16)
        while True:
            buffer = ctypes.create_string_buffer(size.value)
            code = _library(RBD).rbd_list(self._connect(), buffer, byref(size))
            if code != -errno.ERANGE:
                _done(code, f"listing {self._name}")
                return [name.decode() for name in buffer.raw[: max(code, 0)].split(b"\0") if name]

    def close(self) -> None:
        if self._connected:
            _library(RADOS).rados_ioctx_destroy(self._context)
            _library(RADOS).rados_shutdown(self._cluster)
            self._connected = False

    def _connect(self) -> c_void_p:
        with self._connecting:
            if not self._connected:
                rados = _library(RADOS)
                cluster = c_void_p()
                _done(rados.rados_create(byref(cluster), self._user.encode()), "beginning")
                try:
                    _done(rados.rados_conf_read_file(cluster, self._conf.encode()), f"reading {self._conf}")
                    for option in (b"client_mount_timeout", b"rados_mon_op_timeout", b"rados_osd_op_timeout"):
                        rados.rados_conf_set(cluster, option, SECONDS.encode())
                    _done(rados.rados_connect(cluster), "connecting")
                    code = rados.rados_ioctx_create(cluster, self._name.encode(), byref(self._context))
                    _done(code, f"opening the pool {self._name}")
                except BaseException as error:
                    rados.rados_shutdown(cluster)
                    raise error if isinstance(error, Unreachable) else Unreachable(str(error)) from error
                self._cluster, self._connected = cluster, True
            return self._context


class Volume:
    """An image that is open. Whoever opened it closes it."""

    def __init__(self, handle: c_void_p, name: str) -> None:
        self._handle, self._name = handle, name

    def size(self) -> int:
        size = c_uint64()
        _done(_library(RBD).rbd_get_size(self._handle, byref(size)), f"looking at {self._name}")
        return size.value

    def resize(self, size: int) -> None:
        _done(_library(RBD).rbd_resize(self._handle, size), f"resizing {self._name}")

    def write(self, place: int, data: bytes) -> None:
        _done(_library(RBD).rbd_write(self._handle, place, len(data), data), f"writing {self._name}")

    def read(self, place: int, length: int) -> bytes:
        buffer = ctypes.create_string_buffer(length)
        got = _done(_library(RBD).rbd_read(self._handle, place, length, buffer), f"reading {self._name}")
        return buffer.raw[:got]

    def close(self) -> None:
        _done(_library(RBD).rbd_close(self._handle), f"closing {self._name}")
