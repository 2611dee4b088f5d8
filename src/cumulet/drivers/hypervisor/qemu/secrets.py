"""The secret of a live move, told to the QEMU at either end: they prove it to each other and encrypt with it."""

from __future__ import annotations

import contextlib
import shutil

from cumulet.drivers.hypervisor.base import MachineFailed
from cumulet.drivers.hypervisor.qemu.machine import Machine
from cumulet.lib import psk
from cumulet.lib.qmp import Refused

ID = "move"


async def give(machine: Machine, secret: str, *, server: bool) -> None:
    """From now on its QEMU knows the secret by `ID`."""
    if not psk.is_secret(secret):
        raise MachineFailed("The secret of the move is none.")
    await take_back(machine)
    folder = machine.folder.keys
    psk.write(folder, secret, machine.host.user)
    await machine.ask("object-add", psk.words(ID, folder, server=server))
    if not server:
        shutil.rmtree(folder, ignore_errors=True)


async def take_back(machine: Machine) -> None:
    shutil.rmtree(machine.folder.keys, ignore_errors=True)
    with contextlib.suppress(Refused):
        await machine.ask("object-del", {"id": ID})
