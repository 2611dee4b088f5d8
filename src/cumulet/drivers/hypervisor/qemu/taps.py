"""Open taps for machines: QEMU gets an open descriptor, and so needs no right over any network itself."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import struct

from cumulet.lib import netns

_TUNSETIFF = 0x400454CA
_SIOCGIFINDEX = 0x8933
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR = 0x0002, 0x1000, 0x4000
_NAME_LIMIT = 15


class TapMissing(Exception):
    """The port's interface is not there (yet), or somebody else holds it."""


async def open_tap(name: str, net_namespace: str | None) -> int:
    """A descriptor of an existing tap in that namespace. Close it when QEMU has it."""
    if net_namespace is None:
        return _open(name)
    try:
        return await netns.inside(net_namespace, lambda: _open(name))
    except OSError as error:
        raise TapMissing(f"tap {name}: {error.strerror}") from error


def _open(name: str) -> int:
    if not 0 < len(name.encode()) <= _NAME_LIMIT:
        raise TapMissing(f"{name!r} is no name of an interface")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        # Attaching would make a tap that is not there; it would be connected to nothing.
        try:
            fcntl.ioctl(any_socket, _SIOCGIFINDEX, struct.pack("16si20x", name.encode(), 0))
        except OSError as error:
            raise TapMissing(f"tap {name}: there is no such interface") from error
    fd = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    try:
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TAP | _IFF_NO_PI | _IFF_VNET_HDR))
    except OSError as error:
        os.close(fd)
        why = "is in use" if error.errno == errno.EBUSY else error.strerror
        raise TapMissing(f"tap {name}: {why}") from error
    return fd
