"""Where bytes are carried into raw volumes and out of them.

A storage daemon opens the volumes, with what is needed for that, and offers them at a unix socket; `qemu-img`, which
reads what tenants brought, runs as another user and is told of the socket alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cumulet.drivers.hypervisor.base import Opening
from cumulet.lib import qemu_img
from cumulet.lib.ids import new_hex
from cumulet.lib.process import User
from cumulet.lib.qemu_img import Luks, Unmeasured, run_qemu_img
from cumulet.lib.qmp import Monitor
from cumulet.lib.storage_daemon import DaemonFailed, StorageDaemon

SOURCE, TARGET = "source", "target"
KEY = "luks"
_NEW = "new"
_MEASURINGS = 30
_SECONDS_TO_OPEN = 60.0
_SECONDS_FOR_KEYS = 120.0
_PAUSE = 0.02


@dataclass(frozen=True)
class Place:
    """One volume on the bench."""

    opening: Opening
    key: str = ""
    """Opens it, if it is encrypted."""
    read_only: bool = False


class Bench:
    """A folder for daemons that live as long as one piece of work."""

    def __init__(self, folder: Path, user: User | None, daemon_user: User | None) -> None:
        """`user` is who runs `qemu-img`, `daemon_user` who opens the volumes."""
        self._folder = folder
        self._user = user
        self._daemon_user = daemon_user

    async def clear(self) -> None:
        """End what was left over by a crash."""
        for path in await asyncio.to_thread(lambda: list(self._folder.glob("*"))):
            await StorageDaemon(path, self._daemon_user).end()

    @contextlib.asynccontextmanager
    async def places(self, **places: Place) -> AsyncIterator[dict[str, dict[str, Any]]]:
        """How `qemu-img` opens each of the volumes. Raises `DaemonFailed`."""
        daemon = StorageDaemon(self._folder / new_hex()[:8], self._daemon_user)
        socket = daemon.run / "nbd"

        async def tell(monitor: Monitor) -> None:
            await monitor.ask("nbd-server-start", {"addr": {"type": "unix", "data": {"path": str(socket)}}})
            for name, place in places.items():
                await _open(monitor, name, place)
                offer = {"type": "nbd", "id": name, "node-name": name, "name": name, "writable": not place.read_only}
                await monitor.ask("block-export-add", offer)
            if self._user is not None:
                os.chown(socket, self._user.uid, self._user.gid, follow_symlinks=False)

        try:
            await daemon.ensure("bench", tell)
            yield {name: _found_at(socket, name) for name in places}
        finally:
            await daemon.end()

    async def format(self, opening: Opening, size: int, luks: Luks, key: str) -> None:
        """Make a volume an encrypted one whose content has this size. Raises `DaemonFailed`."""
        words = {
            "driver": "luks",
            "file": TARGET,
            "size": size,
            "key-secret": KEY,
            "cipher-alg": f"aes-{luks.key_bits // 2}",
            "cipher-mode": "xts",
            "ivgen-alg": "plain64",
            "iter-time": qemu_img.KEY_MILLISECONDS,
        }
        opening = replace(opening, secrets={**opening.secrets, KEY: key.encode()})
        await self._do(opening, ("blockdev-create", {"options": words}))

    async def change_key(self, opening: Opening, old: str, new: str) -> None:
        """Let another key open what is encrypted, and the old one no more. Raises `DaemonFailed`."""
        opening = opening.decrypted(old)
        opening = replace(opening, secrets={**opening.secrets, _NEW: new.encode()})
        added = {"driver": "luks", "state": "active", "new-secret": _NEW, "iter-time": qemu_img.KEY_MILLISECONDS}
        erased = {"driver": "luks", "state": "inactive", "old-secret": KEY}
        await self._do(
            opening, *(("x-blockdev-amend", {"node-name": TARGET, "options": words}) for words in (added, erased))
        )

    async def _do(self, opening: Opening, *jobs: tuple[str, dict[str, Any]]) -> None:
        for left in reversed(range(_MEASURINGS)):
            try:
                return await self._try(opening, jobs)
            except Unmeasured as error:
                if not left:
                    raise DaemonFailed("A volume could not be encrypted.", str(error)) from error

    async def _try(self, opening: Opening, jobs: Sequence[tuple[str, dict[str, Any]]]) -> None:
        daemon = StorageDaemon(self._folder / new_hex()[:8], self._daemon_user)
        failed = ""

        async def tell(monitor: Monitor) -> None:
            nonlocal failed
            await _add(monitor, TARGET, opening)
            for command, arguments in jobs:
                failed = failed or await _finished(monitor, command, arguments)

        try:
            await daemon.ensure("keys", tell)
        finally:
            await daemon.end()
        if "accurate CPU usage" in failed:
            raise Unmeasured(failed)
        if failed:
            raise DaemonFailed("A volume could not be encrypted.", failed)

    async def carry(self, arguments: list[str], writes: int | None = None) -> None:
        """Run `qemu-img`. Raises as `run_qemu_img` does."""
        await run_qemu_img(arguments, user=self._user, seconds=qemu_img.LONG_SECONDS, writes=writes)


async def _finished(monitor: Monitor, command: str, arguments: dict[str, Any]) -> str:
    """Why a job failed; empty: it did not."""
    # While it makes a key it does not answer.
    await monitor.ask(command, {"job-id": "job", **arguments}, timeout=_SECONDS_FOR_KEYS)
    async with asyncio.timeout(_SECONDS_FOR_KEYS):
        while True:
            [job] = await monitor.ask("query-jobs", timeout=_SECONDS_FOR_KEYS)
            if job["status"] == "concluded":
                break
            await asyncio.sleep(_PAUSE)
    await monitor.ask("job-dismiss", {"id": "job"})
    return str(job.get("error", ""))


async def _open(monitor: Monitor, name: str, place: Place) -> None:
    opening = place.opening.decrypted(place.key) if place.key else place.opening
    # The ids of its secrets are those of this place alone.
    renamed = {id: f"{name}-{id}" for id in opening.secrets}
    words = _with_secrets(opening.words, renamed)
    secrets = {renamed[id]: data for id, data in opening.secrets.items()}
    await _add(monitor, name, Opening(words=words, secrets=secrets), read_only=place.read_only)


async def _add(monitor: Monitor, name: str, opening: Opening, *, read_only: bool = False) -> None:
    for secret in opening.objects():
        await monitor.ask("object-add", secret)
    words = {**opening.words, "node-name": name, "discard": "unmap", "read-only": read_only}
    await monitor.ask("blockdev-add", words, timeout=_SECONDS_TO_OPEN)


def _with_secrets(words: Mapping[str, object], renamed: Mapping[str, str]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in words.items():
        if isinstance(value, Mapping):
            found[name] = _with_secrets(value, renamed)
        else:
            found[name] = renamed.get(value, value) if name.endswith("-secret") and isinstance(value, str) else value
    return found


def _found_at(socket: Path, name: str) -> dict[str, Any]:
    server = {"type": "unix", "path": str(socket)}
    return {"driver": "raw", "file": {"driver": "nbd", "server": server, "export": name}}


def into(source: str | dict[str, Any], source_format: str, target: dict[str, Any], *, blank: bool) -> list[str]:
    """Give a volume on the bench the content of a file, or of another one there. `blank`: nothing is in it yet."""
    read = source if isinstance(source, str) else "json:" + json.dumps(source)
    form = ["-f", source_format] if isinstance(source, str) else []
    wide = {"server.type": "unix", "server.path": target["file"]["server"]["path"], "export": target["file"]["export"]}
    words = {"driver": "raw", "file.driver": "nbd", **{f"file.{name}": value for name, value in wide.items()}}
    opts = ",".join(f"{name}={str(value).replace(',', ',,')}" for name, value in words.items())
    return ["convert", "-q", "-n", *(["--target-is-zero"] if blank else []), *form, "--target-image-opts", read, opts]


def out_of(source: dict[str, Any], part: Path, output: str) -> list[str]:
    """A file with the content of a volume on the bench."""
    return ["convert", "-q", "-O", output, "json:" + json.dumps(source), str(part)]
