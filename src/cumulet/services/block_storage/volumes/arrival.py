"""The end of every move of a volume: one write says where it is, and what is left of it elsewhere goes."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.contracts.volumes import EMPTY
from cumulet.core.db import Transaction
from cumulet.services.block_storage import messages
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.types import quotas
from cumulet.services.block_storage.types.row import TypeRow
from cumulet.services.block_storage.volumes import store
from cumulet.services.block_storage.volumes.row import AttachmentRow, VolumeRow

HOLD = "maintenance"
RETYPING = "retyping"
MIGRATING, SUCCESS, ERROR = "migrating", "success", "error"
MOST_SNAPSHOTS = 10_000
_OVER: dict[str, Any] = {
    "destination": "", "destination_pool": "", "destination_secret": "", "destination_size": 0,
    "destination_exported": "", "carried": "", "new_type": "",
}  # fmt: skip
"""The columns of a move when it has ended."""


async def end(room: BlockStorage, volume: VolumeRow, status: str, reason: str = "") -> None:
    """`volume` as it was seen: a move that has ended already, or another one, is left alone."""

    async def write(tx: Transaction) -> None:
        current = await store.held(room, tx, volume.id)
        if current.destination != volume.destination or current.destination_pool != volume.destination_pool:
            return
        done = status == SUCCESS
        there = destination_of(current)
        kind = await tx.get(TypeRow, id=current.new_type) if current.new_type else None
        if current.new_type and current.wanted:  # What is deleted counts no more.
            for project, amounts in await held(tx, current):
                given_up = current.type_id if done else current.new_type
                await quotas.give_back_too(room, tx, project, given_up, **amounts)
        behind = (current.node, current.backend) if done else (current.destination, there["backend"])
        await tx.update(AttachmentRow, {"volume_id": volume.id}, move="")
        for attachment in await tx.find(AttachmentRow, volume_id=volume.id):
            tx.wake("attachment", attachment.server_id)
        await store.order(
            room,
            tx,
            volume.id,
            **_OVER,
            migration_status=status,
            hold="" if current.hold in (HOLD, RETYPING) else current.hold,
            leaves="@".join(behind),
            **(arrived(current) if done else {}),
            **(retyped(kind) if done and kind is not None else {}),
        )
        if not done and reason:
            await tell(room, tx, current, reason)

    await room.database.write(write)


async def tell(room: BlockStorage, tx: Transaction, volume: VolumeRow, reason: str) -> None:
    """Why its move comes to nothing."""
    await messages.note(room, tx, volume.project_id, "VOLUME", volume.id, messages.Action.MIGRATE, reason)


async def held(tx: Transaction, volume: VolumeRow) -> list[tuple[str, dict[str, int]]]:
    """What a volume and its snapshots count, each with its project."""
    found = [(volume.project_id, {"volumes": 1, "gigabytes": volume.size})]
    for one in await tx.find(SnapshotRow, volume_id=volume.id, wanted=True, limit=MOST_SNAPSHOTS):
        found.append((one.project_id, {"snapshots": 1, "gigabytes": one.size}))
    return found


def arrived(volume: VolumeRow) -> dict[str, Any]:
    """The columns of a volume that is where it should be. Pure."""
    found = {**destination_of(volume), "looked_after": volume.destination}
    if volume.carried == EMPTY:
        # Its machine has it open there, in the way that was made for that.
        found |= {"export_secret": volume.destination_secret, "exported": volume.destination_exported}
    return found


def destination_of(volume: VolumeRow) -> dict[str, Any]:
    """Where a volume is when it has arrived. Pure."""
    host, _, pool = volume.destination_pool.partition("#")
    name, _, backend = host.partition("@")
    return {
        "node": volume.destination,
        "backend": backend,
        "cluster": name if name != volume.destination else "",
        "pool": pool,
    }


def retyped(kind: TypeRow) -> dict[str, Any]:
    """The columns of a volume that has this type now. Pure."""
    specs = msgspec.json.decode(kind.extra_specs, type=dict[str, str])
    several = specs.get("multiattach", "").lower() == "<is> true"
    return {"type_id": kind.id, "type_name": kind.name, "multiattach": several}
