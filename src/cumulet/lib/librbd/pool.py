"""A pool of a cluster, and what is in it."""

from __future__ import annotations

import configparser
import ctypes
import errno
import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ctypes import byref, c_char_p, c_int, c_size_t, c_uint64, c_void_p
from pathlib import Path
from typing import Any

from cumulet.lib.librbd.calls import RADOS, RBD, Unreachable, done, library
from cumulet.lib.librbd.cluster import begun, configured, setting
from cumulet.lib.librbd.volume import Volume

ORDER = 22
"""Objects of 4 MiB."""
FEATURES = 1 | 4 | 8 | 16 | 32
"""Of a clone: layering, exclusive-lock, object-map, fast-diff, deep-flatten; the defaults of a new image."""


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
        done(library(RBD).rbd_create(context, name.encode(), c_uint64(size), byref(order)), f"making {name}")
        return self.open(name)

    def clone(self, parent: str, snapshot: str, name: str, *, parents: Pool | None = None) -> None:
        """An image that shares what it has not written with a snapshot of another one, maybe of another pool."""
        rbd, order = library(RBD), c_int(ORDER)
        theirs, ours = (parents or self)._connect(), self._connect()
        code = rbd.rbd_clone(theirs, parent.encode(), snapshot.encode(), ours, name.encode(), FEATURES, byref(order))
        done(code, f"making {name} of {parent}@{snapshot}")

    def open(self, name: str) -> Volume:
        return self._open(library(RBD).rbd_open, name)

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
        volume = self._open(library(RBD).rbd_open_read_only, name)
        try:
            yield volume
        finally:
            volume.close()

    def _open(self, call: Any, name: str) -> Volume:
        handle = c_void_p()
        done(call(self._connect(), name.encode(), byref(handle), None), f"opening {name}")
        return Volume(handle, name)

    def remove(self, name: str) -> None:
        done(library(RBD).rbd_remove(self._connect(), name.encode()), f"removing {name}")

    def rename(self, name: str, new: str) -> None:
        done(library(RBD).rbd_rename(self._connect(), name.encode(), new.encode()), f"renaming {name}")

    def names(self) -> list[str]:
        size = c_size_t(1 << 16)
        while True:
            buffer = ctypes.create_string_buffer(size.value)
            code = library(RBD).rbd_list(self._connect(), buffer, byref(size))
            if code != -errno.ERANGE:
                done(code, f"listing {self.name}")
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
        done(library(RADOS).rados_cluster_fsid(self._cluster, buffer, c_size_t(37)), "asking who it is")
        return buffer.value.decode()

    def monitors(self) -> list[tuple[str, int]]:
        """Where the cluster is reached: addresses and ports of the older protocol, which every client speaks."""
        found = json.loads(self._ask({"prefix": "mon dump", "format": "json"}))
        places = [one for mon in found["mons"] for one in mon["public_addrs"]["addrvec"] if one["type"] == "v1"]
        hosts = [place["addr"].rpartition(":") for place in places]
        return [(host.strip("[]"), int(port)) for host, _, port in hosts]

    def key(self) -> str:
        """The key of this pool's user, as his keyring says. Nothing is asked of the cluster."""
        with configured(self.user, self.conf) as cluster:
            if key := setting(cluster, "key"):
                return key
            for name in setting(cluster, "keyring").split(","):
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
            library(RADOS).rados_ioctx_destroy(self._context)
            library(RADOS).rados_shutdown(self._cluster)
            self._connected = False

    def _ask(self, command: Mapping[str, str]) -> bytes:
        self._connect()
        rados = library(RADOS)
        words = (c_char_p * 1)(json.dumps(command).encode())
        out, said = c_char_p(), c_char_p()
        length, words_length = c_size_t(), c_size_t()
        code = rados.rados_mon_command(
            self._cluster, words, c_size_t(1), None, c_size_t(0), byref(out), byref(length), byref(said),
            byref(words_length),
        )  # fmt: skip
        try:
            done(code, f"asking for {command['prefix']}")
            return ctypes.string_at(out, length.value)
        finally:
            for buffer in (out, said):
                if buffer:
                    rados.rados_buffer_free(buffer)

    def _connect(self) -> c_void_p:
        with self._connecting:
            if not self._connected:
                rados = library(RADOS)
                cluster = begun(self.user, self.conf)
                try:
                    done(rados.rados_connect(cluster), "connecting")
                    code = rados.rados_ioctx_create(cluster, self.name.encode(), byref(self._context))
                    done(code, f"opening the pool {self.name}")
                except BaseException as error:
                    rados.rados_shutdown(cluster)
                    raise error if isinstance(error, Unreachable) else Unreachable(str(error)) from error
                self._cluster, self._connected = cluster, True
            return self._context
