"""Volumes that go elsewhere under a running machine: what is written meanwhile is there, whoever is killed."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import msgspec
import pytest

from cumulet.contracts.machines import MachineFacts, MachineSpec, VolumeConnection
from cumulet.drivers.hypervisor.qemu.machine import Machine
from tests.support.hypervisors.qemu import QemuWorld
from tests.support.hypervisors.worlds import machine, with_volume
from tests.support.mortal_node import kill_while_it_works
from tests.support.patience import HANG_SECONDS

pytestmark = pytest.mark.root
BLOCK = 1 << 16
FULL = 96
"""Blocks that hold something before anything moves, so that a copy takes a while."""


class Guest:
    """What a guest has written, and has been told is kept."""

    def __init__(self, world: QemuWorld, spec: MachineSpec, volume: VolumeConnection) -> None:
        self.world = world
        self.id = spec.id
        self.volume = volume
        self.holds = dict.fromkeys(range(FULL), 17)

    async def begins(self) -> None:
        await self._do(await self._machine(), f"write -P {0x11} 0 {FULL * BLOCK}", "flush")

    async def write(self, chance: random.Random) -> None:
        """Something, somewhere, through its device. Nothing while QEMU has it wait for the end of a copy: the monitor,
        by which this is done, would wait too."""
        one = await self._machine()
        async with one.lock:
            if await one.find_process() is None or await self._waits(one):
                return
            place, pattern = chance.randrange(2 * FULL), chance.randrange(1, 256)
            await self._do(one, f"write -P {pattern} {place * BLOCK} {BLOCK}", "flush")
            self.holds[place] = pattern

    async def finds_all(self) -> None:
        one = await self._machine()
        async with one.lock:
            assert not await self._waits(one)
            for place, pattern in self.holds.items():
                await self._do(one, f"read -P {pattern} {place * BLOCK} {BLOCK}")

    async def _machine(self) -> Machine:
        one = await self.world.door._machine(self.id)
        assert one is not None
        return one

    async def _do(self, one: Machine, *doings: str) -> None:
        device = f"dev-disk{one.journal.numbers[self.volume.volume_id]}/virtio-backend"
        for doing in doings:
            said = await one.ask("human-monitor-command", {"command-line": f'qemu-io -d {device} "{doing}"'})
            assert "failed" not in said, (doing, said)
            assert "error" not in said.lower(), (doing, said)

    @staticmethod
    async def _waits(one: Machine) -> bool:
        return any(job["status"] in ("waiting", "pending") for job in await one.ask("query-jobs"))


def at(spec: MachineSpec, volume: VolumeConnection, goes_to: VolumeConnection | None = None) -> MachineSpec:
    return with_volume(spec, volume, goes_to=goes_to)


async def looked(world: QemuWorld, spec: MachineSpec) -> MachineFacts:
    [facts] = [facts for facts in await world.door.found() if facts.id == spec.id]
    return facts


async def there(world: QemuWorld, spec: MachineSpec, guest: Guest, chance: random.Random) -> None:
    """The guest writes on until it is there."""
    async with asyncio.timeout(HANG_SECONDS):
        while not any(mirror.there for mirror in (await looked(world, spec)).mirrors):
            await guest.write(chance)


@pytest.mark.parametrize("far", [False, True])
async def test_what_is_written_meanwhile_is_there(world: QemuWorld, far: bool) -> None:
    chance, spec = random.Random(far), machine(world)
    source = world.volume() if far else await world.far_volume()
    guest = Guest(world, spec, source)
    target = await world.elsewhere(source, far=far)
    await world.door.ensure(at(spec, source))
    await guest.begins()
    await world.door.ensure(at(spec, source, target))
    await there(world, spec, guest, chance)
    await world.door.ensure(at(spec, target))
    for _ in range(10):
        await guest.write(chance)
    await guest.finds_all()
    await world.lose(source)
    Path(world.volume_file(source)).unlink()
    await guest.finds_all()
    await world.door.ensure(msgspec.structs.replace(at(spec, target), hard_reboots=1))
    await guest.finds_all()


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_is_killed_nothing_is_lost(world: QemuWorld, seed: int) -> None:
    chance, spec = random.Random(seed), machine(world)
    source = world.volume()
    guest = Guest(world, spec, source)
    target = await world.elsewhere(source, far=seed % 2 == 0)
    orders = [at(spec, source), at(spec, source, target)]
    await world.door.ensure(orders[0])
    await guest.begins()
    for _ in range(4):
        await world.door.close()
        await kill_while_it_works(world, chance.choice(orders[-1:]), chance.uniform(0.05, 1.2))
        await world.open()
        if chance.random() < 0.4:
            world.kill(spec.id)
        order = chance.choice(orders)
        facts = await world.door.ensure(order)
        assert facts.fault is None
        for _ in range(chance.randrange(6)):
            await guest.write(chance)
        await guest.finds_all()
    await world.door.ensure(orders[1])
    await there(world, spec, guest, chance)
    await world.door.ensure(at(spec, target))
    await guest.finds_all()
    assert (await looked(world, spec)).mirrors == ()
    assert world.ways(spec.id) == (seed % 2 == 0)
