"""A process of its own that makes a machine, to be killed while it does. `python -m tests.support.mortal_node`

Arguments: the world's folder, its namespace, and the order. It says `ready` and begins when it is answered.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import msgspec

from cumulet.contracts.machines import MachineSpec
from cumulet.drivers.hypervisor.qemu.probe import Abilities
from tests.support.hypervisors.doors import qemu_door


async def main(folder: str, namespace: str, abilities: str, order: str) -> None:
    door = qemu_door(Path(folder), namespace, msgspec.json.decode(abilities, type=Abilities))
    spec = msgspec.json.decode(order, type=MachineSpec)
    print("ready", flush=True)
    sys.stdin.readline()
    facts = await door.ensure(spec)
    print(msgspec.json.encode(facts).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
