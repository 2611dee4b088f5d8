"""What every drill has: a name, one sentence of what it shows, a rack, and somebody who listens."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from openstack.connection import Connection

from tests.support.real_cloud import Cloud, Host
from tests.support.real_rack import NAMES, FarNode, Rack
from tests.support.traces import ends_as, nothing_is_left, settled_traces, traces_of_any_node


@dataclass
class Scene:
    """A drill that is under way."""

    rack: Rack
    operations: int
    """How many, where a drill does something again and again."""
    seed: int = 0
    began: float = field(default_factory=time.monotonic)

    @property
    def cloud(self) -> Cloud:
        return self.rack.cloud

    def client(self) -> Connection:
        return self.cloud.client()

    def other(self, name: str) -> FarNode:
        """A node that joined."""
        return next(far for far in self.rack.others if far.name == name)

    @property
    def names(self) -> list[str]:
        """Of all nodes."""
        return [NAMES[0], *(far.name for far in self.rack.others)]

    def home(self, name: str) -> tuple[Host, Path]:
        """The host of a node, and where it keeps its things."""
        if name == NAMES[0]:
            return self.cloud.host, self.cloud.state
        return self.other(name).host, self.other(name).state

    def say(self, words: str) -> None:
        print(f"{time.monotonic() - self.began:6.1f} s  {words}", flush=True)


@dataclass(frozen=True, slots=True)
class Drill:
    """One promise."""

    name: str
    shows: str
    run: Callable[[Scene], None]
    nodes: int = 2


class Watch:
    """Seconds since it was started."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __str__(self) -> str:
        return f"{time.monotonic() - self._began:.1f} s"


@contextmanager
def leaving_nothing(scene: Scene) -> Iterator[None]:
    """Whatever is made inside is gone afterwards: rows, claims and counters, and on every node processes, interfaces,
    namespaces, rules and files."""
    client = scene.client()
    list(client.network.security_groups())  # the default one is made at the first look, and it stays
    list(client.block_storage.types())  # so is the default one
    before, idle = settled_traces(scene.cloud), traces_of_any_node(scene.cloud.host, scene.cloud.state)
    yield
    nothing_is_left(scene.cloud, before, 60)
    for far in scene.rack.others:
        ends_as(partial(traces_of_any_node, far.host, far.state), idle, 60)
    scene.say("nothing is left of it: no row, claim or count, and on no node a process, interface, rule or file")
