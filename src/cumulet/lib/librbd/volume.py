"""An image in a pool, opened: its size, its bytes, its snapshots, and words that are kept with it."""

from __future__ import annotations

import ctypes
import errno
from ctypes import byref, c_int, c_size_t, c_uint64, c_void_p

from cumulet.lib.librbd.calls import RBD, SnapshotRecord, WatcherRecord, done, library

_USERS = 0
"""The namespace of snapshots that somebody took; those in others are the cluster's own business."""
_MOST_VALUE = 4096


class Volume:
    """An image that is open. Whoever opened it closes it."""

    def __init__(self, handle: c_void_p, name: str) -> None:
        self._handle, self._name = handle, name

    def size(self) -> int:
        size = c_uint64()
        done(library(RBD).rbd_get_size(self._handle, byref(size)), f"looking at {self._name}")
        return size.value

    def resize(self, size: int) -> None:
        done(library(RBD).rbd_resize(self._handle, size), f"resizing {self._name}")

    def write(self, place: int, data: bytes) -> None:
        done(library(RBD).rbd_write(self._handle, place, len(data), data), f"writing {self._name}")

    def read(self, place: int, length: int) -> bytes:
        buffer = ctypes.create_string_buffer(length)
        got = done(library(RBD).rbd_read(self._handle, place, length, buffer), f"reading {self._name}")
        return buffer.raw[:got]

    def flatten(self) -> None:
        """Let it have all of its content itself."""
        done(library(RBD).rbd_flatten(self._handle), f"flattening {self._name}")

    def watched(self) -> bool:
        """Whether somebody has it open to write to it; it must be opened by `looked_at`."""
        rbd, most = library(RBD), c_size_t(16)
        while True:
            found = (WatcherRecord * most.value)()
            code = rbd.rbd_watchers_list(self._handle, found, byref(most))
            if code != -errno.ERANGE:
                done(code, f"asking who has {self._name}")
                rbd.rbd_watchers_list_cleanup(found, most)
                return most.value > 0

    # ---- snapshots ---------------------------------------------------------------------------------------------------

    def snapshots(self) -> dict[str, int]:
        """Those that somebody took, by name, in the order in which they were taken, and the sizes of then."""
        rbd, most = library(RBD), c_int(64)
        while True:
            found = (SnapshotRecord * most.value)()
            count = rbd.rbd_snap_list(self._handle, found, byref(most))
            if count != -errno.ERANGE:
                break
        done(count, f"listing the snapshots of {self._name}")
        snapshots = {}
        for one in sorted(found[:count], key=lambda one: int(one.id)):
            kind = c_int()
            done(rbd.rbd_snap_get_namespace_type(self._handle, one.id, byref(kind)), "looking at a snapshot")
            if kind.value == _USERS:
                snapshots[one.name.decode()] = int(one.size)
        rbd.rbd_snap_list_end(found)
        return snapshots

    def take(self, snapshot: str) -> None:
        done(library(RBD).rbd_snap_create(self._handle, snapshot.encode()), f"taking {self._name}@{snapshot}")

    def drop(self, snapshot: str) -> None:
        done(library(RBD).rbd_snap_remove(self._handle, snapshot.encode()), f"dropping {self._name}@{snapshot}")

    def return_to(self, snapshot: str) -> None:
        code = library(RBD).rbd_snap_rollback(self._handle, snapshot.encode())
        done(code, f"returning to {self._name}@{snapshot}")

    # ---- words that are kept with it ---------------------------------------------------------------------------------

    def word(self, name: str) -> str:
        """Empty: there is none."""
        buffer, size = ctypes.create_string_buffer(_MOST_VALUE), c_size_t(_MOST_VALUE)
        code = library(RBD).rbd_metadata_get(self._handle, name.encode(), buffer, byref(size))
        if code == -errno.ENOENT:
            return ""
        done(code, f"reading {name} of {self._name}")
        return buffer.value.decode()

    def keep_word(self, name: str, text: str) -> None:
        code = library(RBD).rbd_metadata_set(self._handle, name.encode(), text.encode())
        done(code, f"keeping {name} of {self._name}")

    def forget_word(self, name: str) -> None:
        code = library(RBD).rbd_metadata_remove(self._handle, name.encode())
        if code != -errno.ENOENT:
            done(code, f"forgetting {name} of {self._name}")

    def close(self) -> None:
        done(library(RBD).rbd_close(self._handle), f"closing {self._name}")
