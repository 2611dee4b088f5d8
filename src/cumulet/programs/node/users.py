"""As whom machines run on this host, and as whom their volumes are carried."""

from __future__ import annotations

import os

from cumulet.drivers.network.linux import sandbox
from cumulet.lib import process

MACHINE_UID = 64_000
"""Machines of root's clouds run as this user number, which no distribution gives out."""
STORAGE_UID = MACHINE_UID + 1
"""What carries volumes over the network runs as this one: a machine's process can neither become it nor touch it."""


def machine_user() -> process.User | None:
    """Real root runs machines as somebody without rights; root of a user namespace has nobody else to be."""
    if os.geteuid() != 0 or sandbox.is_rootless():
        return None
    return process.User(MACHINE_UID, MACHINE_UID)


def storage_user(machines: process.User | None) -> process.User | None:
    """It opens the volumes that machines open, by their group."""
    return process.User(STORAGE_UID, machines.gid) if machines is not None else None
