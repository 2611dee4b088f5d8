"""A folder as a store of volumes: a raw file with holes each, its snapshots beside it.

A snapshot is a copy, which costs nothing where the file system shares blocks, and a full copy elsewhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from pathlib import Path

import msgspec

from cumulet.contracts.backends import Storage
from cumulet.drivers.hypervisor.base import Opening
from cumulet.drivers.volume.failing import GIB, NotThere
from cumulet.drivers.volume.raw.store import NoRoom, State, check_name
from cumulet.lib import process
from cumulet.lib.process import ProcessFailed, User
from cumulet.lib.whole_file import publish

LACKS = ("snapshots in use", "extending in use")
_SECONDS_TO_COPY = 3600.0


class FileStore:
    """One folder: `NAME/disk`, `NAME/words.json` and `NAME/SNAPSHOT.snapshot`."""

    moments = False

    def __init__(self, folder: Path, user: User | None = None) -> None:
        """`user` is who opens the files."""
        self._folder = folder
        self._user = user
        folder.mkdir(mode=0o711, parents=True, exist_ok=True)

    async def names(self) -> list[str]:
        return await asyncio.to_thread(lambda: sorted(path.parent.name for path in self._folder.glob("*/disk")))

    async def state(self, name: str) -> State:
        return await asyncio.to_thread(self._state, self._at(name))

    async def make(self, name: str, size: int) -> None:
        folder = self._at(name)
        folder.mkdir(mode=0o711)
        await asyncio.to_thread(self._own, folder / "disk", size)

    async def clone(self, name: str, snapshot: str, new: str) -> None:
        folder = self._at(new)
        folder.mkdir(mode=0o711)
        await self._copy(self._snapshot(name, snapshot), folder / "disk")

    async def remove(self, name: str) -> None:
        folder = self._at(name)
        # First the disk, so that a half removed one is none.
        (folder / "disk").unlink(missing_ok=True)
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)

    async def rename(self, name: str, new: str) -> None:
        await asyncio.to_thread(publish, self._at(name), self._at(new))

    async def resize(self, name: str, size: int) -> None:
        os.truncate(self._disk(name), size)

    async def blank(self, name: str, size: int) -> None:
        os.truncate(self._disk(name), 0)
        os.truncate(self._disk(name), size)

    async def take(self, name: str, snapshot: str) -> None:
        await self._replace(self._snapshot(name, snapshot), self._disk(name))

    async def drop(self, name: str, snapshot: str) -> None:
        self._snapshot(name, snapshot).unlink(missing_ok=True)

    async def return_to(self, name: str, snapshot: str) -> None:
        await self._replace(self._disk(name), self._snapshot(name, snapshot))

    async def keep_word(self, name: str, word: str, text: str) -> None:
        await asyncio.to_thread(self._keep_word, self._at(name), word, text)

    async def is_open(self, name: str) -> bool:
        return False

    async def opening(self, name: str, snapshot: str = "") -> Opening:
        file = self._snapshot(name, snapshot) if snapshot else self._disk(name)
        return Opening({"driver": "file", "filename": str(file)})

    async def path(self, name: str) -> str:
        return str(self._disk(name))

    async def about(self) -> Storage:
        status = os.statvfs(self._folder)
        return Storage(
            driver="iscsi",
            protocol="iSCSI",
            opened="",
            offered="iscsi",
            lacks=LACKS,
            total_gib=status.f_blocks * status.f_frsize // GIB,
            free_gib=status.f_bavail * status.f_frsize // GIB,
        )

    def close(self) -> None:
        pass

    def _at(self, name: str) -> Path:
        return self._folder / check_name(name)

    def _disk(self, name: str) -> Path:
        file = self._at(name) / "disk"
        if not file.exists():
            raise NotThere(name)
        return file

    def _snapshot(self, name: str, snapshot: str) -> Path:
        return self._disk(name).with_name(f"{check_name(snapshot)}.snapshot")

    def _state(self, folder: Path) -> State:
        snapshots = []
        try:
            size = (folder / "disk").stat().st_size
            for file in list(folder.glob("*.snapshot")):
                # Another volume made from this one may drop its snapshot at this very moment.
                with contextlib.suppress(FileNotFoundError):
                    status = file.stat()
                    snapshots.append((status.st_ctime_ns, file.stem, status.st_size))
        except FileNotFoundError:
            raise NotThere(folder.name) from None
        return State(size, {name: size for _, name, size in sorted(snapshots)}, self._words(folder))

    @staticmethod
    def _words(folder: Path) -> dict[str, str]:
        try:
            return msgspec.json.decode((folder / "words.json").read_bytes(), type=dict[str, str])
        except FileNotFoundError:
            return {}

    @classmethod
    def _keep_word(cls, folder: Path, word: str, text: str) -> None:
        words = {**cls._words(folder), word: text}
        part = folder / "words.part"
        with part.open("wb") as writer:
            writer.write(msgspec.json.encode({word: text for word, text in words.items() if text}))
            writer.flush()
            os.fsync(writer.fileno())
        publish(part, folder / "words.json")

    async def _replace(self, file: Path, source: Path) -> None:
        """Let a file of a volume hold what another one of it holds, at once and for good."""
        part = file.with_name("part")
        await self._copy(source, part)
        await asyncio.to_thread(publish, part, file)

    def _own(self, file: Path, size: int | None = None) -> None:
        """It is on the disk, and whoever opens volumes may open it."""
        with open(os.open(file, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as opened:
            if size is not None:
                os.ftruncate(opened.fileno(), size)
            os.fsync(opened.fileno())
            if self._user is not None:
                os.fchown(opened.fileno(), self._user.uid, self._user.gid)

    async def _copy(self, source: Path, target: Path) -> None:
        argv = ["cp", "--reflink=auto", "--sparse=always", "--", str(source), str(target)]
        try:
            await process.run(argv, timeout=_SECONDS_TO_COPY)
        except ProcessFailed as error:
            target.unlink(missing_ok=True)
            if b"No space left" in error.stderr:
                raise NoRoom(str(error)) from error
            raise
        await asyncio.to_thread(self._own, target)
