"""What a new cloud begins with: the flavors that people and tests expect."""

from __future__ import annotations

from cumulet.core.db import Duplicate
from cumulet.services.compute.flavors import FlavorRow
from cumulet.services.compute.room import Compute

FLAVORS = (
    # id, name, RAM in MiB, vCPUs, disk in GiB
    ("42", "m1.nano", 64, 1, 1),
    ("84", "m1.micro", 128, 1, 1),
    ("c1", "cirros256", 256, 1, 1),
    ("1", "m1.tiny", 512, 1, 1),
    ("2", "m1.small", 2048, 1, 20),
    ("3", "m1.medium", 4096, 2, 40),
    ("4", "m1.large", 8192, 4, 80),
    ("5", "m1.xlarge", 16384, 8, 160),
)


async def seed(room: Compute) -> None:
    """Make the flavors that are not there yet. What an administrator changed stays as it is."""
    async with room.database.read() as tx:
        known = {row.id for row in await tx.find(FlavorRow)}
    for flavor_id, name, ram, vcpus, disk in FLAVORS:
        if flavor_id in known:
            continue
        row = FlavorRow(
            id=flavor_id,
            name=name,
            ram=ram,
            vcpus=vcpus,
            disk=disk,
            ephemeral=0,
            swap=0,
            rxtx_factor=1.0,
            public=True,
            description=None,
            extra_specs='{"hw_rng:allowed":"True"}',
            created_at=room.clock.now(),
            updated_at=0,
        )
        try:
            await room.database.write(lambda tx, row=row: tx.insert(row))  # type: ignore[misc]
        except Duplicate:
            continue  # someone gave the name to another flavor, or a second process seeds at this moment
