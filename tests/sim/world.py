"""A whole cloud in the fake world: one API process and some nodes, which are killed and replaced."""

from __future__ import annotations

import asyncio
import random
import tempfile
from contextlib import suppress
from pathlib import Path

from cumulet.drivers.image_store.memory import Shelf
from cumulet.programs.simulate import SimulatedNode, World
from cumulet.programs.simulated_volumes import VolumeWorlds, Worlds
from tests.sim.processes import BACKENDS, ApiProcess, NodeProcess
from tests.support.stone import Killed, Stone
from tests.support.virtual_time import VirtualClock


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
