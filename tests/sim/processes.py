"""The processes of the simulated cloud, each of which may be killed at any of its seams."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx

from cumulet.contracts.assignments import NodeFacts, Wire
from cumulet.core.access.rules import Rules
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.db.backends.sqlite import SqliteBackend
from cumulet.drivers.hypervisor.fake import FakeHypervisor
from cumulet.drivers.image_store.memory import MemoryImageStore, Shelf
from cumulet.drivers.network.fake import FakeNetwork
from cumulet.node.agent import Agent
from cumulet.node.machines.belongings import HandedOn
from cumulet.node.volumes.backends import Backends
from cumulet.programs.cloud import Cloud
from cumulet.programs.settings import Settings
from cumulet.programs.simulate import World, nobody_home
from cumulet.programs.volume_settings import FilesBackend, NfsBackend, VolumeSettings
from cumulet.services.compute import seed as compute_seed
from cumulet.services.image import seed as image_seed
from tests.sim.ways import ControlWire, Rack
from tests.support.personas import authenticate
from tests.support.stone import FlakyBus, Killed, Mortal, MortalBackend, Stone
from tests.support.virtual_time import VirtualClock

LOSES, DOUBLES = 0.05, 0.05

BACKENDS = VolumeSettings(backends={"local": FilesBackend(), "share": NfsBackend(share="192.0.2.5:/volumes")})
"""Each node has one of its own, and all have one together."""


@cache
def _compiled(room: str) -> Rules:
    return Rules(_DEFAULTS[room])


_DEFAULTS: dict[str, Mapping[str, str]] = {}


def _rules(room: str, defaults: Mapping[str, str]) -> Rules:
    """The default rules, compiled once for all the processes of a run."""
    _DEFAULTS[room] = defaults
    return _compiled(room)


class Dead(Exception):
    """The process that should answer was killed; what it did is not known."""


class ApiProcess:
    """`serve`: rooms, reconcilers and the API over the world's database."""

    def __init__(
        self, place: Path, shelf: Shelf, backups: Shelf, clock: VirtualClock, stone: Stone, chance: random.Random
    ) -> None:
        self.stone = stone
        memory = MemoryBus()
        bus = FlakyBus(memory, stone, chance.random, LOSES, DOUBLES)
        self._backend = SqliteBackend(place / "cloud.db")
        database = Database(MortalBackend(self._backend, stone), wake=bus.wake, clock=clock, random_source=chance)
        settings = Settings(state_dir=str(place), mode="simulate", admin_password="unused")
        stores = {"memory": Mortal(MemoryImageStore(shelf), stone)}
        self.cloud = Cloud(
            settings,
            database,
            bus,
            clock,
            stores,
            rules=_rules,
            authenticate=authenticate,
            backups=Mortal(MemoryImageStore(backups), stone),
        )
        self._tasks: set[asyncio.Task[Any]] = set()
        self.hanging: set[asyncio.Task[Any]] = set()
        """Questions of nodes that wait for an answer."""

    async def start(self) -> None:
        await self.cloud.database.create_tables()
        await compute_seed.seed(self.cloud.compute)
        await image_seed.seed(self.cloud.image, tiny=None, simulated=True)
        for loop in self.cloud.loops:
            self._keep(asyncio.ensure_future(loop.run()))

    async def call(
        self, room: str, method: str, path: str, json: Any = None, persona: str = "manager"
    ) -> httpx.Response:
        """One request to a room, as the manager of the demo project or somebody else. Raises Dead."""
        task = asyncio.ensure_future(self._call(room, method, path, json, persona))
        self._keep(task)
        try:
            return await task
        except (Killed, asyncio.CancelledError) as end:
            if self.stone.dead:
                raise Dead from end
            raise

    async def _call(self, room: str, method: str, path: str, json: Any, persona: str) -> httpx.Response:
        door = self.cloud.doors[room]
        transport = httpx.ASGITransport(app=door)
        async with httpx.AsyncClient(transport=transport, base_url="http://cloud.test") as client:
            headers = {"x-auth-token": persona, "x-openstack-nova-api-version": "2.93"}
            return await client.request(method, door.service.prefix + path, json=json, headers=headers)

    def _keep(self, task: asyncio.Task[Any]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def bury(self) -> None:
        """End what is left of a process that is dead."""
        self.stone.kill()
        await _end(self._tasks | self.hanging)
        await self._backend.close()


class NodeProcess:
    """`node`: the agent over one node's world."""

    def __init__(
        self,
        name: str,
        world: World,
        api: Sequence[ApiProcess],
        clock: VirtualClock,
        stone: Stone,
        others: Mapping[str, NodeProcess],
    ) -> None:
        self.name = name
        self.stone = stone
        self.world = world
        wire, rack = Mortal(ControlWire(api, name), stone), Mortal(Rack(others), stone)
        self.hypervisor = Mortal(
            FakeHypervisor(
                world.machines, HandedOn(wire, nobody_home), rack.carry, rack.reach, partial(rack.copy, world)
            ),
            stone,
        )
        self.agent = Agent(
            control_plane=wire,
            clock=clock,
            facts=self._facts,
            hypervisor=self.hypervisor,
            network=Mortal(FakeNetwork(world.fabric), stone),
            backends=Backends(
                {backend: Mortal(driver, stone) for backend, driver in world.volumes.backends(wire, name).items()}
            ),
        )
        self._task: asyncio.Task[Any] | None = None

    def start(self) -> None:
        self._task = asyncio.ensure_future(self.agent.run())

    async def bury(self) -> None:
        self.stone.kill()
        if self._task is not None:
            await _end({self._task})

    def _facts(self) -> NodeFacts:
        return NodeFacts(
            name=self.name,
            hypervisor="QEMU",
            accelerator="fake",
            hypervisor_version=7_002_019,
            vcpus=64,
            memory_mib=1 << 18,
            disk_gib=10_000,
            tunnel_address="127.0.0.1",
            address=f"local:{self.name}",
            wires=(Wire(physical_network="rp_tunnelled", egress_kbps=100, ingress_kbps=100),),
            kpps=100,
        )


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
