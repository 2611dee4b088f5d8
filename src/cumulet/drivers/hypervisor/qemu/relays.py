"""The ways of a machine to volumes that come over the network: from a node by NBD or iSCSI, or from a cluster of Ceph.

A machine's QEMU lives in a network namespace without a way out, and keeps living there: it reaches such a volume at a
unix socket, where a daemon outside hands everything on. The daemon runs as somebody that a guest which took over its
QEMU cannot become or touch, and it alone knows the secret, and the key of what is encrypted.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from cumulet.contracts.machines import VolumeConnection
from cumulet.contracts.record import digest_of
from cumulet.drivers.hypervisor.base import MachineFailed, Opening
from cumulet.drivers.hypervisor.qemu.host import Host
from cumulet.drivers.hypervisor.qemu.journal import Folder
from cumulet.drivers.hypervisor.qemu.volumes import EXPORT, ISCSI, NBD, check
from cumulet.lib import chap, psk
from cumulet.lib.chap import IQN, LUN
from cumulet.lib.ids import new_hex
from cumulet.lib.qmp import Monitor
from cumulet.lib.storage_daemon import DaemonFailed, StorageDaemon

_NODE, _TLS, _CHAP = "volume", "tls", "chap"
_SECONDS_OF_SILENCE = 300
"""How long what a guest reads and writes waits for a volume's node that went away, before it fails. A host is back
within that time when it starts anew."""


class Relays:
    """Those of one machine, by the numbers of its disks."""

    def __init__(self, folder: Folder, host: Host) -> None:
        self._folder = folder
        self._host = host
        self._user = host.relay_user
        self._daemons: dict[int, StorageDaemon] = {}

    async def ensure(self, number: int, connection: VolumeConnection) -> None:
        """From now on the volume is reached at the socket. Raises `MachineFailed` and `Unfit`."""
        check(connection)
        daemon = self._daemon(number)

        async def tell(monitor: Monitor) -> None:
            opening = await self._opening(connection)
            if connection.protocol == NBD:
                psk.write(daemon.keys, connection.secret, self._user)
                await monitor.ask("object-add", psk.words(_TLS, daemon.keys, server=False))
                shutil.rmtree(daemon.keys)  # It has read the file.
            for secret in opening.objects():
                await monitor.ask("object-add", secret)
            words = {**opening.words, "node-name": _NODE, "discard": "unmap"}
            await monitor.ask("blockdev-add", words, timeout=2 * self._host.reach_seconds)
            path, owner = self._folder.relay(number), self._host.user
            await monitor.ask("nbd-server-start", {"addr": {"type": "unix", "data": {"path": str(path)}}})
            await monitor.ask(
                "block-export-add",
                {"type": "nbd", "id": _NODE, "node-name": _NODE, "name": EXPORT, "writable": True},
            )
            if owner is not None:
                os.chown(path, owner.uid, owner.gid, follow_symlinks=False)

        try:
            await daemon.ensure(digest_of(connection), tell)
        except DaemonFailed as error:
            raise MachineFailed(
                f"Volume {connection.volume_id} could not be reached at its node.", error.details
            ) from error

    async def renew(self, number: int, connection: VolumeConnection) -> None:
        """Let it begin anew, as it must to learn that its volume has grown. The machine waits meanwhile."""
        await self._daemon(number).end(keep_purpose=True)
        await self.ensure(number, connection)

    async def match(self, wanted: Mapping[int, VolumeConnection]) -> None:
        """Let there be exactly these."""
        for number in await asyncio.to_thread(_numbers, self._folder.relays):
            if number not in wanted:
                await self._daemon(number).end()
                self._daemons.pop(number, None)
        for number, connection in wanted.items():
            await self.ensure(number, connection)

    async def close(self) -> None:
        """Let go of them; they run on."""
        while self._daemons:
            await self._daemons.popitem()[1].close()

    async def _opening(self, connection: VolumeConnection) -> Opening:
        if connection.protocol == NBD:
            return _by_nbd(connection, self._host.reach_seconds)  # who serves it has decrypted it
        by_address = connection.protocol == ISCSI
        opening = _by_iscsi(connection) if by_address else await self._host.volumes.opening(connection)
        return opening.decrypted(await self._host.secret_of(connection)) if connection.encrypted else opening

    def _daemon(self, number: int) -> StorageDaemon:
        if number not in self._daemons:
            self._daemons[number] = StorageDaemon(self._folder.relays / str(number), self._user)
        return self._daemons[number]


def _numbers(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.glob("*") if path.name.isdigit()]


def _by_nbd(connection: VolumeConnection, patience: int) -> Opening:
    return Opening(
        {
            "driver": "nbd",
            "server": {"type": "inet", "host": connection.host, "port": str(connection.port)},
            "export": connection.target,
            "tls-creds": _TLS,
            "open-timeout": patience,
            "reconnect-delay": _SECONDS_OF_SILENCE,
        }
    )


def _by_iscsi(connection: VolumeConnection) -> Opening:
    known = chap.account(connection.secret)
    host = f"[{connection.host}]" if ":" in connection.host else connection.host
    return Opening(
        {
            "driver": "iscsi",
            "transport": "tcp",
            "portal": f"{host}:{connection.port}",
            "target": connection.target,
            "lun": LUN,
            "user": known.name,
            "password-secret": _CHAP,
            # A target takes two of one name for the same initiator; while a machine moves, both nodes have one.
            "initiator-name": f"{IQN}:{new_hex()[:12]}",
        },
        {_CHAP: known.password.encode()},
    )
