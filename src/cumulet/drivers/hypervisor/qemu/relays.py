"""The ways of a machine to volumes that are served over the network.

A machine's QEMU lives in a network namespace without a way out, and keeps living there: it reaches such a volume at a
unix socket, where a daemon outside hands everything on to the volume's node. The daemon runs as somebody that a guest
which took over its QEMU cannot become or touch, and it alone knows the secret.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from cumulet.contracts.machines import VolumeConnection
from cumulet.contracts.record import digest_of
from cumulet.drivers.hypervisor.base import MachineFailed
from cumulet.drivers.hypervisor.qemu.journal import Folder
from cumulet.drivers.hypervisor.qemu.volumes import EXPORT, check
from cumulet.lib import psk
from cumulet.lib.process import User
from cumulet.lib.qmp import Monitor
from cumulet.lib.storage_daemon import DaemonFailed, StorageDaemon

_NODE, _TLS = "volume", "tls"
_SECONDS_OF_SILENCE = 300
"""How long what a guest reads and writes waits for a volume's node that went away, before it fails. A host is back
within that time when it starts anew."""


class Relays:
    """Those of one machine, by the numbers of its disks."""

    def __init__(self, folder: Folder, user: User | None, owner: User | None, patience: int) -> None:
        """They run as `user`; `owner` is who the machine runs as. `patience` is how many seconds a volume's node may
        need until it can be reached."""
        self._folder = folder
        self._user = user
        self._owner = owner
        self._patience = patience
        self._daemons: dict[int, StorageDaemon] = {}

    async def ensure(self, number: int, connection: VolumeConnection) -> None:
        """From now on the volume is reached at the socket. Raises `MachineFailed` and `Unfit`."""
        check(connection)
        daemon = self._daemon(number)

        async def tell(monitor: Monitor) -> None:
            psk.write(daemon.keys, connection.secret, self._user)
            await monitor.ask("object-add", psk.words(_TLS, daemon.keys, server=False))
            shutil.rmtree(daemon.keys)  # It has read the file.
            await monitor.ask("blockdev-add", _opened(connection, self._patience), timeout=2 * self._patience)
            path = self._folder.relay(number)
            await monitor.ask("nbd-server-start", {"addr": {"type": "unix", "data": {"path": str(path)}}})
            await monitor.ask(
                "block-export-add",
                {"type": "nbd", "id": _NODE, "node-name": _NODE, "name": EXPORT, "writable": True},
            )
            if self._owner is not None:
                os.chown(path, self._owner.uid, self._owner.gid, follow_symlinks=False)

        try:
            await daemon.ensure(digest_of(connection), tell)
        except DaemonFailed as error:
            raise MachineFailed(
                f"Volume {connection.volume_id} could not be reached at its node.", error.details
            ) from error

    async def match(self, wanted: Mapping[int, VolumeConnection]) -> None:
        """Let there be exactly these."""
        for number in await asyncio.to_thread(_numbers, self._folder.relays):
            if number not in wanted:
                await self._daemon(number).end()
                del self._daemons[number]
        for number, connection in wanted.items():
            await self.ensure(number, connection)

    async def close(self) -> None:
        """Let go of them; they run on."""
        for daemon in self._daemons.values():
            await daemon.close()
        self._daemons.clear()

    def _daemon(self, number: int) -> StorageDaemon:
        if number not in self._daemons:
            self._daemons[number] = StorageDaemon(self._folder.relays / str(number), self._user)
        return self._daemons[number]


def _numbers(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.glob("*") if path.name.isdigit()]


def _opened(connection: VolumeConnection, patience: int) -> dict[str, object]:
    return {
        "driver": "nbd",
        "node-name": _NODE,
        "discard": "unmap",
        "server": {"type": "inet", "host": connection.host, "port": str(connection.port)},
        "export": connection.target,
        "tls-creds": _TLS,
        "open-timeout": patience,
        "reconnect-delay": _SECONDS_OF_SILENCE,
    }
