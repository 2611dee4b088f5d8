"""Where volumes can lie: the backends that nodes tell of, each a service of its node, and the pools they make up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated

import sqlalchemy as sa

from cumulet.contracts.backends import BackendFacts, Storage
from cumulet.core.db import PRIMARY, Name, Query, Row, Transaction, stored
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.volumes.row import VolumeRow
from cumulet.services.fleet.public import NodeView


@stored("block_storage_services")
class ServiceRow(Row):
    """What an administrator said of a service, or of a cluster of them."""

    host: Annotated[str, sa.String(255), PRIMARY]
    """`NODE@BACKEND`, or `CLUSTER@BACKEND`."""
    disabled: bool
    reason: Name
    frozen: bool
    """It keeps what it has and takes nothing new."""


@dataclass(frozen=True, kw_only=True)
class VolumeService:
    """One backend of one node."""

    node: NodeView
    facts: BackendFacts
    said: ServiceRow | None
    zone: str

    @property
    def host(self) -> str:
        return f"{self.node.name}@{self.facts.name}"

    @property
    def cluster(self) -> str:
        """That of all that reach the same volumes; empty: no other does."""
        storage = self.facts.storage
        return f"{storage.cluster}@{self.facts.name}" if storage.cluster else ""

    @property
    def up(self) -> bool:
        return self.node.alive and not self.facts.storage.fault

    @property
    def disabled(self) -> bool:
        return self.said is not None and self.said.disabled

    def is_called(self, host: str) -> bool:
        """By its whole name, by that of its pool, or by that of its node."""
        return host in (self.host, f"{self.host}#{self.facts.pool}", self.node.name)


@dataclass(frozen=True, kw_only=True)
class Pool:
    """A place for volumes: a backend of one node, or one that several share."""

    services: Sequence[VolumeService]
    said: ServiceRow | None
    """Of the cluster, if it is one."""

    @property
    def host(self) -> str:
        return self.services[0].cluster or self.services[0].host

    @property
    def name(self) -> str:
        return f"{self.host}#{self.pool}"

    @property
    def backend(self) -> str:
        return self.services[0].facts.name

    @property
    def cluster(self) -> str:
        return self.services[0].facts.storage.cluster

    @property
    def speaker(self) -> VolumeService:
        """Whose word counts: that of one that can use it, if any can."""
        return next((one for one in self.services if one.up), self.services[0])

    @property
    def pool(self) -> str:
        return self.speaker.facts.pool

    @property
    def storage(self) -> Storage:
        return self.speaker.facts.storage

    @property
    def up(self) -> bool:
        return any(one.up for one in self.services)

    @property
    def disabled(self) -> bool:
        by_cluster = self.said is not None and self.said.disabled
        return by_cluster or all(one.disabled for one in self.services)

    def is_called(self, host: str) -> bool:
        """By its own name, by that of its host, or by that of a service that has it."""
        return host in (self.name, self.host) or any(one.is_called(host) for one in self.services)

    def holds(self, volume: VolumeRow) -> bool:
        return self.host == host_of(volume)


def host_of(volume: VolumeRow) -> str:
    """The host of the pool where a volume lies; empty: it has no place yet."""
    return f"{volume.cluster or volume.node}@{volume.backend}" if volume.node else ""


async def services(room: BlockStorage) -> list[VolumeService]:
    nodes = await room.fleet.nodes()
    said = await _said(room)
    return [
        VolumeService(node=node, facts=facts, said=said.get(f"{node.name}@{facts.name}"), zone=node.zone or room.zone)
        for node in nodes
        for facts in node.facts.backends
    ]


async def pools(room: BlockStorage) -> list[Pool]:
    found: dict[str, list[VolumeService]] = {}
    for one in await services(room):
        found.setdefault(one.cluster or one.host, []).append(one)
    said = await _said(room)
    return [Pool(services=some, said=said.get(some[0].cluster)) for _, some in sorted(found.items())]


async def _said(room: BlockStorage) -> dict[str, ServiceRow]:
    async with room.database.read() as tx:
        return {row.host: row for row in await tx.find(ServiceRow)}


async def say(room: BlockStorage, hosts: Iterable[str], *, disabled: bool, reason: str = "") -> None:
    """Keep new volumes off these services or clusters, or let them on again."""
    named = list(hosts)

    async def write(tx: Transaction) -> None:
        for host in named:
            await tx.delete(ServiceRow, host=host)
            if disabled:
                await tx.insert(ServiceRow(host, True, reason, reason == FROZEN))

    await room.database.write(write)


FROZEN = "frozen"
"""The reason by which a frozen service is known."""


@dataclass(frozen=True)
class GivenOut:
    """What volumes of one pool were promised."""

    gib: int = 0
    volumes: int = 0


@cache
def _given_out() -> Query:
    c = VolumeRow.c
    columns = (c.node, c.cluster, c.backend)
    return Query(sa.select(*columns, sa.func.sum(c.size), sa.func.count()).where(c.node != "").group_by(*columns))


async def given_out(room: BlockStorage) -> dict[str, GivenOut]:
    """By the host of each pool."""
    found: dict[str, GivenOut] = {}
    async with room.database.read() as tx:
        for node, cluster, backend, size, count in await tx.tuples(_given_out()):
            host = f"{cluster or node}@{backend}"
            before = found.get(host, GivenOut())
            found[host] = GivenOut(before.gib + int(size), before.volumes + int(count))
    return found
