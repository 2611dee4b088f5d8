"""The calls of librados and librbd that stores of images and of volumes need, with errors that have names.

They are called through ctypes, which lets other threads run meanwhile; so one program works with any Python and needs
nothing but Debian's librbd1.
"""

from __future__ import annotations

import configparser
import ctypes
import errno
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_int64, c_size_t, c_ssize_t, c_uint64, c_void_p
from functools import cache
from pathlib import Path
from typing import Any

RADOS, RBD = "librados.so.2", "librbd.so.1"
ORDER = 22
"""Objects of 4 MiB."""
SECONDS = "30"
"""How long a cluster may keep us waiting for an answer."""
FEATURES = 1 | 4 | 8 | 16 | 32
"""Of a clone: layering, exclusive-lock, object-map, fast-diff, deep-flatten; the defaults of a new image."""
_USERS = 0
"""The namespace of snapshots that somebody took; those in others are the cluster's own business."""
_MOST_VALUE = 4096


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


class _Snapshot(Structure):
    _fields_ = (("id", c_uint64), ("size", c_uint64), ("name", c_char_p))


class _Watcher(Structure):
    _fields_ = (("address", c_char_p), ("id", c_int64), ("cookie", c_uint64))


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
        library.rbd_clone.argtypes = [c_void_p, c_char_p, c_char_p, c_void_p, c_char_p, c_uint64, POINTER(c_int)]
        library.rbd_snap_get_namespace_type.argtypes = [c_void_p, c_uint64, POINTER(c_int)]
    return library


def _done(code: int, doing: str) -> int:
    """The result of a call. Raises what its error means."""
    if code >= 0:
        return code
    raise _NAMED.get(-code, Unreachable)(f"Ceph: {doing}: {os.strerror(-code)}")


class Pool:
    """One pool, connected to when it is first used. Calls block; any thread may make them."""

    def __init__(self, name: str, user: str, conf: str) -> None:
        self.name, self.user, self.conf = name, user, conf
        self._cluster = c_void_p()
        self._context = c_void_p()
        self._connected = False
        self._connecting = threading.Lock()

    def create(self, name: str, size: int = 0) -> Volume:
        order = c_int(ORDER)
        context = self._connect()
        _done(_library(RBD).rbd_create(context, name.encode(), c_uint64(size), byref(order)), f"making {name}")
        return self.open(name)

    def clone(self, parent: str, snapshot: str, name: str, *, parents: Pool | None = None) -> None:
        """An image that shares what it has not written with a snapshot of another one, maybe of another pool."""
        library, order = _library(RBD), c_int(ORDER)
        theirs, ours = (parents or self)._connect(), self._connect()
        code = library.rbd_clone(
            theirs, parent.encode(), snapshot.encode(), ours, name.encode(), FEATURES, byref(order)
        )
        _done(code, f"making {name} of {parent}@{snapshot}")

    def open(self, name: str) -> Volume:
        return self._open(_library(RBD).rbd_open, name)

    @contextmanager
    def opened(self, name: str) -> Iterator[Volume]:
        """To change it."""
        volume = self.open(name)
        try:
            yield volume
        finally:
            volume.close()

    @contextmanager
    def looked_at(self, name: str) -> Iterator[Volume]:
        """Only to read what is said of it; nobody takes this for somebody who has it open."""
        volume = self._open(_library(RBD).rbd_open_read_only, name)
        try:
            yield volume
        finally:
            volume.close()

    def _open(self, call: Any, name: str) -> Volume:
        handle = c_void_p()
        _done(call(self._connect(), name.encode(), byref(handle), None), f"opening {name}")
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
                _done(code, f"listing {self.name}")
                return [name.decode() for name in buffer.raw[: max(code, 0)].split(b"\0") if name]

    def room(self) -> tuple[int, int]:
        """(total, free) bytes of what can be stored here."""
        for pool in json.loads(self._ask({"prefix": "df", "format": "json"}))["pools"]:
            if pool["name"] == self.name:
                free = int(pool["stats"]["max_avail"])
                return int(pool["stats"].get("stored", pool["stats"]["bytes_used"])) + free, free
        raise Unreachable(f"Ceph: the cluster does not speak of the pool {self.name}")

    def cluster_id(self) -> str:
        self._connect()
        buffer = ctypes.create_string_buffer(37)
        _done(_library(RADOS).rados_cluster_fsid(self._cluster, buffer, c_size_t(37)), "asking who it is")
        return buffer.value.decode()

    def monitors(self) -> list[tuple[str, int]]:
        """Where the cluster is reached: addresses and ports of the older protocol, which every client speaks."""
        found = json.loads(self._ask({"prefix": "mon dump", "format": "json"}))
        places = [one for mon in found["mons"] for one in mon["public_addrs"]["addrvec"] if one["type"] == "v1"]
        hosts = [place["addr"].rpartition(":") for place in places]
        return [(host.strip("[]"), int(port)) for host, _, port in hosts]

    def key(self) -> str:
        """The key of this pool's user, as his keyring says. Nothing is asked of the cluster."""
        with _configured(self.user, self.conf) as cluster:
            if key := _setting(cluster, "key"):
                return key
            for name in _setting(cluster, "keyring").split(","):
                keyring = configparser.ConfigParser(strict=False, interpolation=None)
                try:
                    text = Path(name.strip()).read_text()
                    keyring.read_string("\n".join(line.strip() for line in text.splitlines()))
                except (OSError, configparser.Error):
                    continue
                if found := keyring.get(f"client.{self.user}", "key", fallback=""):
                    return found
        raise Unreachable(f"Ceph: there is no key of client.{self.user} in the keyrings that {self.conf} names")

    def close(self) -> None:
        if self._connected:
            _library(RADOS).rados_ioctx_destroy(self._context)
            _library(RADOS).rados_shutdown(self._cluster)
            self._connected = False

    def _ask(self, command: Mapping[str, str]) -> bytes:
        self._connect()
        rados = _library(RADOS)
        words = (c_char_p * 1)(json.dumps(command).encode())
        out, said = c_char_p(), c_char_p()
        length, words_length = c_size_t(), c_size_t()
        code = rados.rados_mon_command(
            self._cluster, words, c_size_t(1), None, c_size_t(0), byref(out), byref(length), byref(said),
            byref(words_length),
        )  # fmt: skip
        try:
            _done(code, f"asking for {command['prefix']}")
            return ctypes.string_at(out, length.value)
        finally:
            for buffer in (out, said):
                if buffer:
                    rados.rados_buffer_free(buffer)

    def _connect(self) -> c_void_p:
        with self._connecting:
            if not self._connected:
                rados = _library(RADOS)
                cluster = _begun(self.user, self.conf)
                try:
                    _done(rados.rados_connect(cluster), "connecting")
                    code = rados.rados_ioctx_create(cluster, self.name.encode(), byref(self._context))
                    _done(code, f"opening the pool {self.name}")
                except BaseException as error:
                    rados.rados_shutdown(cluster)
                    raise error if isinstance(error, Unreachable) else Unreachable(str(error)) from error
                self._cluster, self._connected = cluster, True
            return self._context


def _begun(user: str, conf: str) -> c_void_p:
    """A cluster that is not connected to yet."""
    rados = _library(RADOS)
    cluster = c_void_p()
    _done(rados.rados_create(byref(cluster), user.encode()), "beginning")
    try:
        _done(rados.rados_conf_read_file(cluster, conf.encode()), f"reading {conf}")
    except BaseException as error:
        rados.rados_shutdown(cluster)
        raise error if isinstance(error, Unreachable) else Unreachable(str(error)) from error
    for option in (b"client_mount_timeout", b"rados_mon_op_timeout", b"rados_osd_op_timeout"):
        rados.rados_conf_set(cluster, option, SECONDS.encode())
    # A snapshot that has clones may go; what they share with it goes with the last of them.
    rados.rados_conf_set(cluster, b"rbd_default_clone_format", b"2")
    return cluster


@contextmanager
def _configured(user: str, conf: str) -> Iterator[c_void_p]:
    cluster = _begun(user, conf)
    try:
        yield cluster
    finally:
        _library(RADOS).rados_shutdown(cluster)


def _setting(cluster: c_void_p, name: str) -> str:
    buffer = ctypes.create_string_buffer(1 << 14)
    _done(_library(RADOS).rados_conf_get(cluster, name.encode(), buffer, c_size_t(len(buffer))), f"reading {name}")
    return buffer.value.decode()


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

    def flatten(self) -> None:
        """Let it have all of its content itself."""
        _done(_library(RBD).rbd_flatten(self._handle), f"flattening {self._name}")

    def watched(self) -> bool:
        """Whether somebody has it open to write to it; it must be opened by `looked_at`."""
        library, most = _library(RBD), c_size_t(16)
        while True:
            found = (_Watcher * most.value)()
            code = library.rbd_watchers_list(self._handle, found, byref(most))
            if code != -errno.ERANGE:
                _done(code, f"asking who has {self._name}")
                library.rbd_watchers_list_cleanup(found, most)
                return most.value > 0

    # ---- snapshots ---------------------------------------------------------------------------------------------------

    def snapshots(self) -> dict[str, int]:
        """Those that somebody took, by name, in the order in which they were taken, and the sizes of then."""
        library, most = _library(RBD), c_int(64)
        while True:
            found = (_Snapshot * most.value)()
            count = library.rbd_snap_list(self._handle, found, byref(most))
            if count != -errno.ERANGE:
                break
        _done(count, f"listing the snapshots of {self._name}")
        snapshots = {}
        for one in sorted(found[:count], key=lambda one: int(one.id)):
            kind = c_int()
            _done(library.rbd_snap_get_namespace_type(self._handle, one.id, byref(kind)), "looking at a snapshot")
            if kind.value == _USERS:
                snapshots[one.name.decode()] = int(one.size)
        library.rbd_snap_list_end(found)
        return snapshots

    def take(self, snapshot: str) -> None:
        _done(_library(RBD).rbd_snap_create(self._handle, snapshot.encode()), f"taking {self._name}@{snapshot}")

    def drop(self, snapshot: str) -> None:
        _done(_library(RBD).rbd_snap_remove(self._handle, snapshot.encode()), f"dropping {self._name}@{snapshot}")

    def return_to(self, snapshot: str) -> None:
        code = _library(RBD).rbd_snap_rollback(self._handle, snapshot.encode())
        _done(code, f"returning to {self._name}@{snapshot}")

    # ---- words that are kept with it ---------------------------------------------------------------------------------

    def word(self, name: str) -> str:
        """Empty: there is none."""
        buffer, size = ctypes.create_string_buffer(_MOST_VALUE), c_size_t(_MOST_VALUE)
        code = _library(RBD).rbd_metadata_get(self._handle, name.encode(), buffer, byref(size))
        if code == -errno.ENOENT:
            return ""
        _done(code, f"reading {name} of {self._name}")
        return buffer.value.decode()

    def keep_word(self, name: str, text: str) -> None:
        code = _library(RBD).rbd_metadata_set(self._handle, name.encode(), text.encode())
        _done(code, f"keeping {name} of {self._name}")

    def forget_word(self, name: str) -> None:
        code = _library(RBD).rbd_metadata_remove(self._handle, name.encode())
        if code != -errno.ENOENT:
            _done(code, f"forgetting {name} of {self._name}")

    def close(self) -> None:
        _done(_library(RBD).rbd_close(self._handle), f"closing {self._name}")
