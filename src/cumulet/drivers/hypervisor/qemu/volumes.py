"""How QEMU reaches the bytes of a volume. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from cumulet.contracts.machines import VolumeConnection
from cumulet.drivers.hypervisor.base import Unfit
from cumulet.drivers.hypervisor.qemu.devices import Words
from cumulet.drivers.hypervisor.qemu.journal import Journal
from cumulet.lib import psk

_HOST = re.compile(r"[A-Za-z0-9:.\[\]-]{1,255}")
_TARGET = re.compile(r"[A-Za-z0-9:._/-]{1,223}")
_RECONNECT_SECONDS = 30
"""How long a guest's reads and writes wait for a relay that ended, which begins anew, before they fail."""
FILE, NBD, ISCSI, RBD = "file", "nbd", "iscsi", "rbd"
_BY_ADDRESS = (NBD, ISCSI)
EXPORT = "volume"
"""The name under which a relay offers its volume."""


def source_of(connection: VolumeConnection, path: Callable[[VolumeConnection], str], secret: str, relay: Path) -> Words:
    """The tree of block drivers for a volume. `secret` is the id under which QEMU was told what opens an encrypted
    file, `relay` where a volume that is none is reached."""
    if connection.protocol == FILE:
        source = source_of_file(path(connection), "qcow2", shared=connection.shared)
        if connection.encrypted:
            source["encrypt"] = {"format": "luks", "key-secret": secret}
        return source
    check(connection)
    return {
        "driver": "nbd",
        "server": {"type": "unix", "path": str(relay)},
        "export": EXPORT,
        "reconnect-delay": _RECONNECT_SECONDS,
    }


def source_of_file(path: str, format: str, *, shared: bool = False) -> Words:
    """The format is always said, never guessed from the content, which the guest writes. Of a file that other nodes
    open too nothing is kept in this one's cache: they would not see it."""
    file: Words = {"driver": "file", "filename": path}
    return {"driver": format, "file": {**file, "cache": {"direct": True}} if shared else file}


def check(connection: VolumeConnection) -> None:
    """Raise Unfit for a volume that cannot be reached in this way."""
    if connection.protocol not in (*_BY_ADDRESS, RBD):
        raise Unfit(f"volumes by way of {connection.protocol!r} cannot be connected here")
    if connection.protocol == RBD:
        return  # where it is, this node's own settings say
    if not (
        _HOST.fullmatch(connection.host) and 0 < connection.port < 1 << 16 and _TARGET.fullmatch(connection.target)
    ):
        raise Unfit("the volume's address is not one")
    if not psk.is_secret(connection.secret):
        raise Unfit("the volume's secret is not one")


def needs_relay(connection: VolumeConnection) -> bool:
    return connection.protocol != FILE


def relayed(journal: Journal) -> dict[int, VolumeConnection]:
    """What a machine's process reaches by way of relays, by the numbers of these ways."""
    spec = journal.running or journal.spec
    found = {journal.way(disk.id): disk.volume for disk in spec.disks if disk.volume is not None}
    for disk_id, mirror in journal.mirrors.items():
        if not (mirror.passed or mirror.fault):
            found[journal.way(disk_id, mirror=True)] = mirror.target
    return {way: volume for way, volume in found.items() if needs_relay(volume)}


def needs_secret(connection: VolumeConnection) -> bool:
    """Whether QEMU itself is told something; what relays are told, it never hears."""
    return connection.encrypted and not needs_relay(connection)
