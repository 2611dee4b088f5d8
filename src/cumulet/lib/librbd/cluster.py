"""A cluster that is spoken to in the name of one of its users."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from ctypes import byref, c_size_t, c_void_p

from cumulet.lib.librbd.calls import RADOS, Unreachable, done, library

SECONDS = "30"
"""How long a cluster may keep us waiting for an answer."""


def begun(user: str, conf: str) -> c_void_p:
    """A cluster that is not connected to yet."""
    rados = library(RADOS)
    cluster = c_void_p()
    done(rados.rados_create(byref(cluster), user.encode()), "beginning")
    try:
        done(rados.rados_conf_read_file(cluster, conf.encode()), f"reading {conf}")
    except BaseException as error:
        rados.rados_shutdown(cluster)
        raise error if isinstance(error, Unreachable) else Unreachable(str(error)) from error
    for option in (b"client_mount_timeout", b"rados_mon_op_timeout", b"rados_osd_op_timeout"):
        rados.rados_conf_set(cluster, option, SECONDS.encode())
    # A snapshot that has clones may go; what they share with it goes with the last of them.
    rados.rados_conf_set(cluster, b"rbd_default_clone_format", b"2")
    return cluster


@contextmanager
def configured(user: str, conf: str) -> Iterator[c_void_p]:
    cluster = begun(user, conf)
    try:
        yield cluster
    finally:
        library(RADOS).rados_shutdown(cluster)


def setting(cluster: c_void_p, name: str) -> str:
    buffer = ctypes.create_string_buffer(1 << 14)
    done(library(RADOS).rados_conf_get(cluster, name.encode(), buffer, c_size_t(len(buffer))), f"reading {name}")
    return buffer.value.decode()
