"""Finding a place for a volume: gathers what the choice needs to know, and picks a node where several share a pool."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from cumulet.contracts.assignments import Kind
from cumulet.core.db import Transaction
from cumulet.services.block_storage.backends import GivenOut, Pool, given_out, host_of, pools
from cumulet.services.block_storage.placing.choose import Choice, choose
from cumulet.services.block_storage.placing.pools import Request
from cumulet.services.block_storage.pools import candidate
from cumulet.services.block_storage.qos_specs import QosSpecsRow
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.types.row import TypeRow
from cumulet.services.block_storage.volumes import hints
from cumulet.services.block_storage.volumes.row import VolumeRow


def pool_of(volume: VolumeRow) -> str:
    """The name of the pool where a volume lies; empty: it has no place yet."""
    return f"{host_of(volume)}#{volume.pool}" if volume.node else ""


async def find(
    room: BlockStorage, volume: VolumeRow, kind: TypeRow | None, *, source: str = "", only: str = "", but: str = ""
) -> tuple[Choice, Pool | None]:
    """The best pool for a volume as one of this type. `source` is the pool where what it is made of lies, `only` the
    one it must be in, and `but` one that it should leave."""
    found = [pool for pool in await pools(room) if pool.name != but]
    taken = await given_out(room)
    request = await _request(room, volume, kind, source=source, only=only)
    candidates = [candidate(room, pool, taken.get(pool.host, GivenOut())) for pool in found]
    choice = choose(candidates, request, room.weighers)
    if choice.pool is None:
        return choice, None
    return choice, next(pool for pool in found if pool.name == choice.pool.name)


def placed(pool: Pool, volume_id: str, zone: str = "", beside: str = "") -> dict[str, Any]:
    """The columns of a volume that lies in this pool. Of a pool that several nodes share, the node that looks after
    what it is made of makes it, too: nobody else can ask for a snapshot of what is open there."""
    named = any(one.node.name == beside and one.up for one in pool.services)
    return {
        "node": beside if named else looker_after(pool, volume_id, zone),
        "backend": pool.backend,
        "cluster": pool.cluster,
        "pool": pool.pool,
    }


def looker_after(pool: Pool, volume_id: str, zone: str = "") -> str:
    """The node of a pool that looks after a volume: of several always the same one, as long as they live."""
    able = [one for one in pool.services if one.up] or list(pool.services)
    able = [one for one in able if not one.disabled] or able
    able = [one for one in able if one.zone == zone] or able
    return able[zlib.crc32(volume_id.encode()) % len(able)].node.name


async def _request(room: BlockStorage, volume: VolumeRow, kind: TypeRow | None, *, source: str, only: str) -> Request:
    specs: dict[str, str] = msgspec.json.decode(kind.extra_specs) if kind else {}
    said = msgspec.json.decode(volume.hints, type=dict[str, list[str]])
    async with room.database.read() as tx:
        beside = await _pools_of(tx, said.get(hints.SAME, ()))
        apart = await _pools_of(tx, said.get(hints.DIFFERENT, ()))
        qos = await tx.get(QosSpecsRow, id=kind.qos_specs_id) if kind and kind.qos_specs_id else None
    near = None
    for server in said.get(hints.LOCAL_TO, ()):
        legs = await room.fleet.held(Kind.MACHINE, server)
        near = next((leg.node for leg in legs if not leg.gone), "")
    return Request(
        size=volume.size,
        zone=volume.availability_zone if volume.availability_zone != room.zone else "",
        specs=specs,
        needs=frozenset({"encryption"} if volume.encryption else ()),
        source=source,
        here=pool_of(volume),
        only=only,
        beside=beside,
        apart=apart,
        near=near,
        tried=msgspec.json.decode(volume.tried, type=dict[str, str]),
        facts={
            "volume": {"id": volume.id, "name": volume.name, "size": volume.size, "project_id": volume.project_id},
            "extra": specs,
            "qos": msgspec.json.decode(qos.specs, type=dict[str, str]) if qos else {},
        },
    )


async def _pools_of(tx: Transaction, ids: Collection[str] | Sequence[str]) -> frozenset[str]:
    rows = await tx.find(VolumeRow, id=list(ids)) if ids else []
    return frozenset(pool_of(row) for row in rows if row.node)
