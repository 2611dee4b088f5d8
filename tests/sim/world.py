"""A whole cloud in the fake world: one API process and some nodes, each of which may be killed at any of its seams."""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from functools import cache, partial
from pathlib import Path
from typing import Any

import httpx

from cumulet.contracts.asks import opened_by
from cumulet.contracts.assignments import Assignments, NodeFacts, Report, Wire
from cumulet.contracts.machines import VolumeConnection
from cumulet.contracts.moves import Departure, Luggage
from cumulet.core.access.rules import Rules
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.db.backends.sqlite import SqliteBackend
from cumulet.drivers.hypervisor.base import OutOfReach
from cumulet.drivers.hypervisor.fake import FakeHypervisor
from cumulet.drivers.image_store.memory import MemoryImageStore, Shelf
from cumulet.drivers.network.fake import FakeNetwork
from cumulet.node.agent import Agent
from cumulet.node.control_plane import ControlPlaneSilent
from cumulet.node.machines.belongings import HandedOn
from cumulet.node.volumes.backends import Backends
from cumulet.programs.cloud import Cloud
from cumulet.programs.direct import DirectControlPlane
from cumulet.programs.settings import Settings
from cumulet.programs.simulate import SimulatedNode, World, nobody_home
from cumulet.programs.simulated_volumes import VolumeWorlds, Worlds
from cumulet.programs.volume_settings import FilesBackend, NfsBackend, VolumeSettings
from cumulet.services.compute import seed as compute_seed
from cumulet.services.image import seed as image_seed
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
        wire, rack = Mortal(_Wire(api, name), stone), Mortal(_Rack(others), stone)
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


class _Rack:
    """How nodes reach each other: whoever is dead answers nobody."""

    def __init__(self, nodes: Mapping[str, NodeProcess]) -> None:
        self._nodes = nodes

    async def carry(self, departure: Departure, memory: bytes) -> None:
        node, asked = self._nodes[departure.address.removeprefix("local:")], opened_by(departure.memory_pass)
        if node.stone.dead:
            raise OutOfReach("nobody listens")
        try:
            await node.hypervisor.take_over(asked.parameters["machine"], memory)
        except Killed as end:
            raise OutOfReach("the connection was lost") from end

    async def reach(self, connection: VolumeConnection) -> None:
        """What offers volumes and what reaches them lives on when their agents are dead."""
        if not self._nodes[connection.host].world.volumes.worlds[connection.backend].lets_in(connection):
            raise OutOfReach("nobody offers it")

    async def copy(self, here: World, source: VolumeConnection, target: VolumeConnection) -> None:
        """What a machine of a world does with a volume that is to be elsewhere."""
        places = [self._nodes[one.host].world if one.host else here for one in (source, target)]
        worlds = [place.volumes.worlds[one.backend] for place, one in zip(places, (source, target), strict=True)]
        worlds[1].held_in(target.volume_id).content = worlds[0].held_in(source.volume_id).content


class _Wire:
    """The control plane as a node meets it: silent while the API process is dead."""

    def __init__(self, api: Sequence[ApiProcess], name: str) -> None:
        self._api = api
        self._name = name

    async def _ask(self, verb: str, *arguments: Any) -> Any:
        process = self._api[-1]
        if process.stone.dead:
            raise ControlPlaneSilent("nobody listens")
        try:
            return await getattr(DirectControlPlane(process.cloud.fleet, self._name), verb)(*arguments)
        except Killed as end:
            raise ControlPlaneSilent("the connection was lost") from end

    async def beat(self, facts: NodeFacts) -> None:
        await self._ask("beat", facts)

    async def assignments(self, since: int, noticed: int, wait: float) -> Assignments:
        process = self._api[-1]
        hanging = asyncio.ensure_future(self._ask("assignments", since, noticed, wait))
        process.hanging.add(hanging)
        try:
            answer: Assignments = await hanging
        except asyncio.CancelledError:
            if process.stone.dead:
                raise ControlPlaneSilent("the connection was lost") from None
            raise
        finally:
            process.hanging.discard(hanging)
        return answer

    async def report(self, reports: Sequence[Report]) -> None:
        await self._ask("report", reports)

    async def image(self, image_id: str) -> AsyncIterator[bytes]:
        raise ControlPlaneSilent("the fake hypervisor needs no bytes")
        yield b""

    async def volume_key(self, volume_id: str) -> str:
        return str(await self._ask("volume_key", volume_id))

    def backup(self, backup_id: str) -> AsyncIterator[bytes]:
        return self._stream("backup", backup_id)

    def volume_file(self, volume_id: str) -> AsyncIterator[bytes]:
        return self._stream("volume_file", volume_id)

    async def _stream(self, verb: str, key: str) -> AsyncIterator[bytes]:
        process = self._api[-1]
        if process.stone.dead:
            raise ControlPlaneSilent("nobody listens")
        try:
            async for piece in getattr(DirectControlPlane(process.cloud.fleet, self._name), verb)(key):
                yield piece
        except Killed as end:
            raise ControlPlaneSilent("the connection was lost") from end

    async def luggage(self, machine_id: str) -> Luggage:
        found: Luggage = await self._ask("luggage", machine_id)
        return found

    async def luggage_file(self, machine_id: str, name: str, offset: int) -> AsyncIterator[bytes]:
        process = self._api[-1]
        if process.stone.dead:
            raise ControlPlaneSilent("nobody listens")
        try:
            async for piece in DirectControlPlane(process.cloud.fleet, self._name).luggage_file(
                machine_id, name, offset
            ):
                yield piece
        except Killed as end:
            raise ControlPlaneSilent("the connection was lost") from end


class Scene:
    """The world with its processes. Killed ones are replaced after a moment, over what outlives them."""

    def __init__(self, clock: VirtualClock, seed: int, nodes: int = 2) -> None:
        self.clock = clock
        self.chance = random.Random(seed)
        self.always_exports = seed % 2 == 0
        """Volumes are reached over the network on their own node too."""
        self._folder = tempfile.TemporaryDirectory(prefix="cumulet-sim-", dir="/dev/shm")
        self.place = Path(self._folder.name)
        self.shelf, self.backups = Shelf(), Shelf()
        shared: Worlds = {}
        self.worlds = {f"n{number}": World(clock, VolumeWorlds(BACKENDS, shared)) for number in range(1, nodes + 1)}
        self.apis: list[ApiProcess] = []
        self.nodes: dict[str, NodeProcess] = {}
        self.kills = 0
        self._death = asyncio.Event()
        self.calm = False
        """Nobody is killed any more."""

    @property
    def api(self) -> ApiProcess:
        return self.apis[-1]

    async def begin(self) -> None:
        await self._raise_api(Stone())
        for name in self.worlds:
            self._raise_node(name, Stone())
        await asyncio.sleep(1)

    async def tend(self) -> None:
        """Replace whatever is dead, for ever; let some live only a while."""
        while True:
            await self._death.wait()
            self._death.clear()
            await asyncio.sleep(0.05)
            if self.api.stone.dead:
                await self.api.bury()
                await asyncio.sleep(self.chance.random() * 3)
                await self._raise_api(self._life(3000))
            for name, node in list(self.nodes.items()):
                if node.stone.dead:
                    await node.bury()
                    self._raise_node(name, self._life(300))

    def unleash(self) -> None:
        """From now on processes die at random seams."""
        self.api.stone.last = self.api.stone.touches + self.chance.randrange(1, 1500)
        for node in self.nodes.values():
            node.stone.last = node.stone.touches + self.chance.randrange(1, 150)

    def make_calm(self) -> None:
        self.calm = True
        self.api.stone.last = 0
        for node in self.nodes.values():
            node.stone.last = 0

    async def end(self) -> None:
        for node in self.nodes.values():
            await node.bury()
        await self.api.bury()
        self._folder.cleanup()

    def _life(self, longest: int) -> Stone:
        self.kills += 1
        return Stone(0 if self.calm else self.chance.randrange(1, longest))

    async def _raise_api(self, stone: Stone) -> None:
        stone.on_death = self._death.set
        process = ApiProcess(self.place, self.shelf, self.backups, self.clock, stone, self.chance)
        process.cloud.block_storage.always_exports = self.always_exports
        self.apis[:] = [process]
        for name, world in self.worlds.items():
            SimulatedNode(process.cloud, name, world)  # it answers the questions that go past the agent
        with suppress(Killed):
            await process.start()

    def _raise_node(self, name: str, stone: Stone) -> None:
        stone.on_death = self._death.set
        self.nodes[name] = NodeProcess(name, self.worlds[name], self.apis, self.clock, stone, self.nodes)
        self.nodes[name].start()


async def _end(tasks: set[asyncio.Task[Any]]) -> None:
    ending = list(tasks)
    for task in ending:
        task.cancel()
    await asyncio.gather(*ending, return_exceptions=True)
