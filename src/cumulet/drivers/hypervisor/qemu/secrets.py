"""The secret of a live move, told to the QEMU at either end: they prove it to each other and encrypt with it."""

from __future__ import annotations

import contextlib
import os
import re
import shutil

from cumulet.drivers.hypervisor.base import MachineFailed
from cumulet.drivers.hypervisor.qemu.machine import Machine
from cumulet.drivers.hypervisor.qemu.monitor import Refused

ID = "move"
_NAME = "move"
_SECRET = re.compile(r"[0-9a-f]{32,128}")


async def give(machine: Machine, secret: str, *, server: bool) -> None:
    """From now on its QEMU knows the secret by `ID`."""
    if not _SECRET.fullmatch(secret):
        raise MachineFailed("The secret of the move is none.")
    await take_back(machine)
    folder, user = machine.folder.keys, machine.host.user
    folder.mkdir(mode=0o700)
    file = folder / "keys.psk"
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as out:
        out.write(f"{_NAME}:{secret}\n")
    if user is not None:
        for path in (folder, file):
            os.chown(path, user.uid, user.gid)
    role = {"endpoint": "server"} if server else {"endpoint": "client", "username": _NAME}
    await machine.ask("object-add", {"qom-type": "tls-creds-psk", "id": ID, "dir": str(folder), **role})
    if not server:
        shutil.rmtree(folder, ignore_errors=True)  # It has read the file; a server reads it when somebody comes.


async def take_back(machine: Machine) -> None:
    shutil.rmtree(machine.folder.keys, ignore_errors=True)
    with contextlib.suppress(Refused):
        await machine.ask("object-del", {"id": ID})
