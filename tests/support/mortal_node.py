"""A process of its own that makes a machine, to be killed while it does. `python -m tests.support.mortal_node`

Arguments: the world's folder, its namespace, and the order. It says `ready` and begins when it is answered. After that
it lives on, as an agent does.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from pathlib import Path

import msgspec

from cumulet.contracts.machines import MachineSpec
from cumulet.drivers.hypervisor.qemu.probe import Abilities
from tests.support.hypervisors.doors import qemu_door
from tests.support.hypervisors.qemu import QemuWorld


async def kill_while_it_works(world: QemuWorld, spec: MachineSpec, seconds: float) -> None:
    node = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.support.mortal_node", str(world.folder), world.namespace),
        *(msgspec.json.encode(record).decode() for record in (world.abilities, spec)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert node.stdin is not None
    assert node.stdout is not None
    async with asyncio.timeout(60):
        assert await node.stdout.readline() == b"ready\n"
        node.stdin.write(b"\n")
        await node.stdin.drain()
        await asyncio.sleep(seconds)
        with contextlib.suppress(ProcessLookupError):
            node.kill()
        await node.wait()


async def main(folder: str, namespace: str, abilities: str, order: str) -> None:
    door = qemu_door(Path(folder), namespace, msgspec.json.decode(abilities, type=Abilities))
    spec = msgspec.json.decode(order, type=MachineSpec)
    print("ready", flush=True)
    sys.stdin.readline()
    await door.ensure(spec)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
