"""Volumes of this node that machines anywhere may reach: a daemon opens each, and offers it at this node's address.

Whoever comes must have the secret of the export; with it both sides encrypt. A write is on disk before it is answered,
so that a guest elsewhere loses nothing that it holds for written when the daemon or the whole node ends.
"""

from __future__ import annotations

import contextlib
import os
import random
import socket
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from cumulet.contracts.volumes import export_name
from cumulet.drivers.hypervisor.base import MachineFailed
from cumulet.drivers.volume.base import EXPORT
from cumulet.lib import psk
from cumulet.lib.ids import is_uuid
from cumulet.lib.process import User
from cumulet.lib.qmp import Monitor, MonitorLost, Refused
from cumulet.lib.storage_daemon import DaemonFailed, StorageDaemon

_PORTS = range(24_000, 32_000)
"""Below those that the kernel gives out by itself, so that an export finds its own free when it comes back."""
_TRIES = 50
_MOST_CONNECTIONS = 64
_NODE, _TLS, _KEY = "volume", "tls", "key"

Key = Callable[[], Awaitable[str]]
"""Fetches what opens an encrypted volume; it is kept nowhere."""


class Exports:
    """Those of one node. `address` is where others reach it; with none, only this node does."""

    def __init__(self, folder: Path, address: str, *, user: User | None = None, owner: User | None = None) -> None:
        """`user` is who the daemons run as: nobody that a guest could become; he shares a group with `owner`, who
        else opens the volumes."""
        self._folder = folder
        self._host = address or "127.0.0.1"
        self._user = user
        self._owner = owner
        self._daemons: dict[str, StorageDaemon] = {}
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)

    async def ensure(self, volume_id: str, file: Path, secret: str, key: Key | None = None) -> None:
        """Offer a volume's file to those who have the secret, and to nobody else. `key` opens it if it is encrypted.
        Raises `DaemonFailed`."""
        if not psk.is_secret(secret):
            raise DaemonFailed("The secret of the export is none.")
        daemon, target = self._daemon(volume_id), export_name(secret)
        address = daemon.purpose
        if not (address.startswith(f"{self._host}:") and address.endswith(f"/{target}")):
            address = f"{self._host}:{_free_port(self._host)}/{target}"
        port = address.removesuffix(f"/{target}").rpartition(":")[2]
        _share(file, self._owner)

        async def tell(monitor: Monitor) -> None:
            psk.write(daemon.keys, secret, self._user)
            await monitor.ask("object-add", psk.words(_TLS, daemon.keys, server=True))
            if key is not None:
                await monitor.ask("object-add", {"qom-type": "secret", "id": _KEY, "data": await key()})
            await monitor.ask("blockdev-add", _opened(file, encrypted=key is not None))
            place = {"type": "inet", "data": {"host": self._host, "port": port}}
            await monitor.ask(
                "nbd-server-start", {"addr": place, "tls-creds": _TLS, "max-connections": _MOST_CONNECTIONS}
            )
            offer = {"type": "nbd", "id": _NODE, "node-name": _NODE, "name": target}
            await monitor.ask("block-export-add", {**offer, "writable": True, "writethrough": True})

        await daemon.ensure(address, tell)

    async def end(self, volume_id: str, file: Path) -> None:
        """Offer it no more. Ending what is not there is no error."""
        if (self._folder / volume_id).exists():
            await self._daemon(volume_id).end()
            with contextlib.suppress(FileNotFoundError):
                file.chmod(0o600)
        self._daemons.pop(volume_id, None)

    async def pause(self, volume_id: str) -> None:
        """Nobody has the file open, and whoever reaches the volume waits, until `ensure` offers it again."""
        await self._daemon(volume_id).end(keep_purpose=True)

    def address(self, volume_id: str) -> str:
        """Where it is offered, as `host:port/name`; empty: nowhere."""
        return self._daemon(volume_id).purpose if (self._folder / volume_id).exists() else ""

    async def halt(self) -> None:
        """End all daemons, as a host does before it goes down itself; each will be again where it was."""
        for path in self._folder.glob("*"):
            if is_uuid(path.name):
                await self._daemon(path.name).end(keep_purpose=True)

    async def close(self) -> None:
        """Let go of all daemons, which run on."""
        while self._daemons:
            await self._daemons.popitem()[1].close()

    # ---- as one that has volumes open ----------------------------------------------------------------------------

    async def machines_with(self, volume_id: str) -> Sequence[str]:
        return [EXPORT] if self.address(volume_id) else []

    async def resize_volume(self, volume_id: str, size_bytes: int) -> None:
        raise MachineFailed("What serves a volume holds on to its size; its file grows while it is paused.")

    async def take_volume_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        if snapshot_id not in await self._snapshots(volume_id):
            await self._ask(volume_id, "blockdev-snapshot-internal-sync", snapshot_id)

    async def drop_volume_snapshot(self, volume_id: str, snapshot_id: str) -> None:
        if snapshot_id in await self._snapshots(volume_id):
            await self._ask(volume_id, "blockdev-snapshot-delete-internal-sync", snapshot_id)

    async def _snapshots(self, volume_id: str) -> set[str]:
        with _in_words():
            for node in await self._daemon(volume_id).ask("query-named-block-nodes"):
                if node.get("node-name") == _NODE:
                    return {str(snapshot["name"]) for snapshot in node["image"].get("snapshots", ())}
        raise MachineFailed(f"The export of volume {volume_id} is only being made.")

    async def _ask(self, volume_id: str, command: str, snapshot_id: str) -> None:
        with _in_words():
            await self._daemon(volume_id).ask(command, {"device": _NODE, "name": snapshot_id}, timeout=60)

    def _daemon(self, volume_id: str) -> StorageDaemon:
        if not is_uuid(volume_id):
            raise ValueError(f"not an id of a volume: {volume_id!r}")
        if volume_id not in self._daemons:
            self._daemons[volume_id] = StorageDaemon(self._folder / volume_id, self._user)
        return self._daemons[volume_id]


def _opened(file: Path, *, encrypted: bool) -> dict[str, object]:
    words: dict[str, object] = {
        "driver": "qcow2",
        "node-name": _NODE,
        "discard": "unmap",
        "file": {"driver": "file", "filename": str(file)},
    }
    return {**words, "encrypt": {"format": "luks", "key-secret": _KEY}} if encrypted else words


def _share(file: Path, owner: User | None) -> None:
    """The machines' user keeps it, the daemon's may open it too."""
    if owner is not None:
        os.chown(file, owner.uid, owner.gid)
        file.chmod(0o660)


def _free_port(host: str) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in random.sample(_PORTS, _TRIES):
        with socket.socket(family, socket.SOCK_STREAM) as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
            return port
    raise DaemonFailed("A volume could not be served.", f"no port is free at {host}")


@contextlib.contextmanager
def _in_words() -> Iterator[None]:
    """Say every failure as one that callers know."""
    try:
        yield
    except (Refused, MonitorLost) as error:
        raise MachineFailed("The volume's export could not do it.", str(error)) from error
