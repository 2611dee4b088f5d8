"""Volumes of this node offered by iSCSI: a target for each, with a name and a password (CHAP) of its own.

Both follow from the secret of the export, which its orders name; so do those of whoever comes.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Mapping
from pathlib import Path

from cumulet.contracts.volumes import export_name
from cumulet.lib import process, psk
from cumulet.lib.chap import IQN, LUN, account
from cumulet.lib.process import User
from cumulet.lib.storage_daemon import DaemonFailed
from cumulet.lib.tgtd import Act, Mode, Target, TargetFailed, Tgtd

log = logging.getLogger("cumulet.storage")

PORT = 3260
_SECONDS_BETWEEN_BEGINNINGS = 1.0


class Targets:
    """Those of one backend. `host` is where others reach it."""

    def __init__(self, folder: Path, host: str, port: int = PORT, *, user: User | None = None) -> None:
        """`user` is who the daemon runs as: nobody that a guest could become; he owns what it opens."""
        place = f"[{host}]" if ":" in host else host
        self._portal = f"{place or '127.0.0.1'}:{port}"
        self._daemon = Tgtd(folder, self._portal, user)
        self._wanted: dict[str, tuple[str, str]] = {}
        """By volume: where its bytes are, and the secret."""
        self._lock = asyncio.Lock()
        self._watch: asyncio.Task[None] | None = None

    async def ensure(self, volume_id: str, path: str, secret: str) -> None:
        """Offer a volume to those who have the secret, and to nobody else. Raises `DaemonFailed`."""
        if not psk.is_secret(secret):
            raise DaemonFailed("The secret of the export is none.")
        self._wanted[volume_id] = (path, secret)
        try:
            async with self._lock:
                identity = await self._daemon.ensure()
                await self._offer(volume_id, path, secret)
        except TargetFailed as error:
            raise DaemonFailed("A volume could not be served.", str(error)) from error
        if self._watch is None or self._watch.done():
            self._watch = asyncio.ensure_future(self._keep_alive(identity))

    async def end(self, volume_id: str) -> None:
        """Offer it no more, and cut off who is there. Ending what is not there is no error."""
        self._wanted.pop(volume_id, None)
        try:
            async with self._lock:
                for target in await self._of(volume_id):
                    await self._drop(target)
        except TargetFailed as error:
            raise DaemonFailed("A volume could not be taken back.", str(error)) from error

    async def address(self, volume_id: str) -> str:
        """Where it is offered, as `host:port/name`; empty: nowhere."""
        with contextlib.suppress(TargetFailed):
            for target in await self._of(volume_id):
                if target.accounts:
                    return f"{self._portal}/{target.name}"
        return ""

    async def halt(self) -> None:
        """End all, as a host does before it goes down itself."""
        await self.close()
        await self._daemon.end()

    async def close(self) -> None:
        """Let go of the daemon, which runs on."""
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.wait([self._watch])
            self._watch = None

    async def _of(self, volume_id: str) -> list[Target]:
        return [target for target in await self._daemon.targets() if volume_id in target.path]

    async def _offer(self, volume_id: str, path: str, secret: str) -> None:
        name, known = f"{IQN}:{export_name(secret)}", account(secret)
        targets = await self._daemon.targets()
        for target in targets:
            if target.name == name and target.path == path and known.name in target.accounts:
                return  # complete: the account was bound last
            if target.name == name or target.path == path:
                await self._drop(target)
        number = next(place for place in range(1, len(targets) + 2) if place not in {one.number for one in targets})
        ask = self._daemon.ask
        await ask(Mode.TARGET, Act.NEW, {"targetname": name}, target=number)
        await ask(Mode.UNIT, Act.NEW, {"path": path}, target=number, unit=LUN)
        # By this hosts tell disks apart; the daemon's own are the same on every node.
        serial = volume_id.replace("-", "")[:20]
        words = {"thin_provisioning": "1", "scsi_sn": serial, "scsi_id": serial}
        await ask(Mode.UNIT, Act.UPDATE, words, target=number, unit=LUN)
        with contextlib.suppress(TargetFailed):
            await ask(Mode.ACCOUNT, Act.DELETE, {"user": known.name})  # left over by a crash
        await ask(Mode.ACCOUNT, Act.NEW, {"user": known.name, "password": known.password})
        await ask(Mode.ACCOUNT, Act.BIND, {"user": known.name}, target=number)
        await ask(Mode.TARGET, Act.BIND, {"initiator-address": "ALL"}, target=number)

    async def _drop(self, target: Target) -> None:
        await self._daemon.ask(Mode.TARGET, Act.DELETE, target=target.number, force=True)
        for name in target.accounts:
            await self._daemon.ask(Mode.ACCOUNT, Act.DELETE, {"user": name})

    async def _keep_alive(self, identity: process.Identity) -> None:
        while True:
            await process.ended(identity)
            log.warning("the target at %s has ended by itself", self._portal)
            while True:
                await asyncio.sleep(_SECONDS_BETWEEN_BEGINNINGS)
                try:
                    identity = await self._begin_anew(dict(self._wanted))
                    break
                except TargetFailed as error:
                    log.warning("%s", error)

    async def _begin_anew(self, wanted: Mapping[str, tuple[str, str]]) -> process.Identity:
        async with self._lock:
            identity = await self._daemon.ensure()
            for volume_id, (path, secret) in wanted.items():
                if self._wanted.get(volume_id) == (path, secret):
                    await self._offer(volume_id, path, secret)
            return identity
