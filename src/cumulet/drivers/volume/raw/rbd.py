"""A pool of Ceph as a store of volumes: each is an RBD image, under the name that the real service gives it.

A clone shares the objects of its parent until it writes; after a few generations one is given all of its content, so
that reading stays quick. Who is removed while others are clones of it is set aside, and goes when the last of them
went.
"""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from cumulet.contracts.backends import Storage
from cumulet.drivers.hypervisor.base import Opening
from cumulet.drivers.volume.base import StorageSilent
from cumulet.drivers.volume.failing import GIB, NotThere
from cumulet.drivers.volume.raw.store import InUse, NoRoom, State, check_name
from cumulet.lib import librbd
from cumulet.lib.ids import new_hex
from cumulet.lib.librbd import Pool, Volume
from cumulet.lib.whole_file import finished

GONE = "gone-"
SECRET = "ceph"  # noqa: S105
_DEPTH = "cumulet.depth"
_DEEPEST = 5
_WORDS = ("cumulet.reverts", "cumulet.reimages", "cumulet.restores", "cumulet.header", _DEPTH)
_THREADS = 4

_P = ParamSpec("_P")
_T = TypeVar("_T")


class RbdStore:
    """One pool, as one user of the cluster."""

    moments = True

    def __init__(self, pool: str, user: str = "admin", conf: str = "/etc/ceph/ceph.conf") -> None:
        self._pool = Pool(pool, user, conf)
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="rbd-volumes")

    async def names(self) -> list[str]:
        names = await self._call(self._pool.names)
        await self._call(self._tidy, names)
        return names

    async def state(self, name: str) -> State:
        return await self._call(self._state, check_name(name))

    async def make(self, name: str, size: int) -> None:
        await self._call(lambda: self._pool.create(check_name(name), size).close())

    async def clone(self, name: str, snapshot: str, new: str) -> None:
        await self._call(self._clone, check_name(name), check_name(snapshot), check_name(new))

    async def remove(self, name: str) -> None:
        with contextlib.suppress(NotThere):
            await self._call(self._remove, check_name(name))

    async def rename(self, name: str, new: str) -> None:
        await self._call(self._pool.rename, check_name(name), check_name(new))

    async def resize(self, name: str, size: int) -> None:
        await self._change(name, lambda volume: volume.resize(size))

    async def blank(self, name: str, size: int) -> None:
        def act(volume: Volume) -> None:
            volume.resize(0)
            volume.resize(size)

        await self._change(name, act)

    async def take(self, name: str, snapshot: str) -> None:
        await self._change(name, lambda volume: volume.take(check_name(snapshot)))

    async def drop(self, name: str, snapshot: str) -> None:
        await self._change(name, lambda volume: volume.drop(check_name(snapshot)))

    async def return_to(self, name: str, snapshot: str) -> None:
        await self._change(name, lambda volume: volume.return_to(check_name(snapshot)))

    async def keep_word(self, name: str, word: str, text: str) -> None:
        act: Callable[[Volume], None] = lambda volume: (  # noqa: E731
            volume.keep_word(word, text) if text else volume.forget_word(word)
        )
        await self._change(name, act)

    async def is_open(self, name: str) -> bool:
        def ask() -> bool:
            with self._pool.looked_at(check_name(name)) as volume:
                return volume.watched()

        return await self._call(ask)

    async def opening(self, name: str, snapshot: str = "") -> Opening:
        places = await self._call(self._pool.monitors)
        words: dict[str, object] = {
            "driver": "rbd",
            "pool": self._pool.name,
            "image": check_name(name),
            "user": self._pool.user,
            "key-secret": SECRET,
            "auth-client-required": ["cephx"],
            "server": [{"host": host, "port": str(port)} for host, port in places],
        }
        if snapshot:
            words["snapshot"] = check_name(snapshot)
        return Opening(words, {SECRET: base64.b64decode(await self._call(self._pool.key))})

    async def path(self, name: str) -> str:
        return ""

    async def about(self) -> Storage:
        await self.names()  # what was set aside goes some time, even if nobody asks for anything else
        total, free = await self._call(self._pool.room)
        return Storage(
            driver="rbd",
            protocol="ceph",
            cluster=f"{(await self._call(self._pool.cluster_id))[:13]}-{self._pool.name}"[:64],
            opened="rbd",
            many=True,
            offered="",
            total_gib=total // GIB,
            free_gib=free // GIB,
        )

    def close(self) -> None:
        self._threads.shutdown()
        self._pool.close()

    # ---- in a thread -------------------------------------------------------------------------------------------------

    def _state(self, name: str) -> State:
        with self._pool.looked_at(name) as volume:
            words = {word: text for word in _WORDS if (text := volume.word(word))}
            return State(volume.size(), volume.snapshots(), words)

    def _clone(self, name: str, snapshot: str, new: str) -> None:
        with self._pool.looked_at(name) as parent:
            depth = int(parent.word(_DEPTH) or 0) + 1
        self._pool.clone(name, snapshot, new)
        with self._pool.opened(new) as clone:
            # A clone inherits its parent's words, which speak of the parent.
            for word in _WORDS:
                clone.forget_word(word)
            if depth > _DEEPEST:
                clone.flatten()
            else:
                clone.keep_word(_DEPTH, str(depth))

    def _remove(self, name: str) -> None:
        with self._pool.opened(name) as volume:
            for snapshot in volume.snapshots():
                volume.drop(snapshot)
        aside = GONE + new_hex()
        self._pool.rename(name, aside)
        self._tidy(self._pool.names())

    def _tidy(self, names: list[str]) -> None:
        """What was set aside goes once nobody has it open and nothing is a clone of it."""
        for name in names:
            if name.startswith(GONE):
                with contextlib.suppress(librbd.Busy, librbd.Missing):
                    self._pool.remove(name)

    async def _change(self, name: str, act: Callable[[Volume], None]) -> None:
        def change() -> None:
            with self._pool.opened(check_name(name)) as volume:
                act(volume)

        await self._call(change)

    async def _call(self, act: Callable[_P, _T], *args: _P.args, **kwargs: _P.kwargs) -> _T:
        try:
            return await finished(self._threads, act, *args, **kwargs)
        except librbd.Missing as error:
            raise NotThere(str(error)) from error
        except librbd.Busy as error:
            raise InUse(str(error)) from error
        except librbd.Full as error:
            raise NoRoom(str(error)) from error
        except (librbd.Unreachable, librbd.Exists) as error:
            raise StorageSilent(str(error)) from error
