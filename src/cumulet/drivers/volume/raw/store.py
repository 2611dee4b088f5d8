"""What a store of raw volumes can do. Names are the driver's; a store makes sure that they can be no others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from cumulet.contracts.backends import Storage
from cumulet.drivers.hypervisor.base import Opening
from cumulet.lib.qemu_img import DiskBusy, DiskFull

_NAME = re.compile(r"[a-z]+-[0-9a-f-]{32,36}")


class NoRoom(DiskFull):
    """The store is full."""


class InUse(DiskBusy):
    """Somebody has it open, or something else stands on it."""


@dataclass(frozen=True)
class State:
    """What a store knows of one volume."""

    size: int
    snapshots: Mapping[str, int]
    """By name, in the order in which they were taken, with the sizes of then."""
    words: Mapping[str, str] = field(default_factory=dict)
    """What was said to be kept with it."""


class Store(Protocol):
    """Every method may be called again after a crash; each raises `StorageSilent`, and `NotThere` for a name that is
    none. Sizes are bytes."""

    moments: bool
    """Whether a snapshot can be taken while somebody writes."""

    async def names(self) -> list[str]: ...

    async def state(self, name: str) -> State: ...

    async def make(self, name: str, size: int) -> None:
        """A blank one. Raises `NoRoom`."""
        ...

    async def clone(self, name: str, snapshot: str, new: str) -> None:
        """Another one with the content of a snapshot and a life of its own. It keeps no words. Raises `NoRoom`."""
        ...

    async def remove(self, name: str) -> None:
        """With its snapshots, whatever was made of them. What is not there is no error."""
        ...

    async def rename(self, name: str, new: str) -> None: ...

    async def resize(self, name: str, size: int) -> None:
        """Make it larger. Raises `NoRoom`, and `InUse` where that hinders."""
        ...

    async def blank(self, name: str, size: int) -> None:
        """From now on nothing is in it, and it has this size. Its snapshots stay as they are."""
        ...

    async def take(self, name: str, snapshot: str) -> None: ...

    async def drop(self, name: str, snapshot: str) -> None: ...

    async def return_to(self, name: str, snapshot: str) -> None: ...

    async def keep_word(self, name: str, word: str, text: str) -> None: ...

    async def is_open(self, name: str) -> bool:
        """Whether somebody, on whatever host, has it open to write to it; always no where a store cannot know."""
        ...

    async def opening(self, name: str, snapshot: str = "") -> Opening:
        """How a program of QEMU opens it."""
        ...

    async def path(self, name: str) -> str:
        """The file or device that other programs of this node open; empty: there is none."""
        ...

    async def about(self) -> Storage:
        """What it is and how much room it has."""
        ...

    def close(self) -> None: ...


def check_name(name: str) -> str:
    """A name that can be part of a path or an argument."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"not a name of a volume or a snapshot: {name!r}")
    return name
