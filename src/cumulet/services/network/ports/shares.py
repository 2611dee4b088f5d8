"""A bound port gets another policy: what is promised to it is exchanged before anything else changes, or it is refused.

What nobody had counted when the port was bound is not counted now: who had no promise of bandwidth gets none before his
server moves, as the real service does it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.web.call import Call
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.noun import Noun
from cumulet.services.network.ports.errors import QosPlacementAllocationUpdateConflict
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.qos.requests import Group, allocation_of, request_in, request_of
from cumulet.services.network.qos.row import applied_policy
from cumulet.services.network.room import Network
from cumulet.services.placement.public import Ask, Asks

SHARES = "shares"
"""Where the wish says which provider gives what from now on; no client can send it."""


def exchanging(ports: Noun) -> Any:
    """What surrounds an update of a port."""

    @asynccontextmanager
    async def around(room: Network, call: Call, given: Mapping[str, Any], wish: dict[str, Any]) -> AsyncIterator[None]:
        if "qos_policy_id" not in wish:
            yield
            return
        async with room.database.read() as tx:
            row: PortRow = await ports.sought(tx, call, call.path[ports.key])
            ports.allow_change(call, row, "update_port", given)
            before = held_by(row)
            after = await _held_under(tx, call, row, wish["qos_policy_id"]) if before else []
            others = [ask for port in await _siblings(tx, row) for ask in held_by(port)] if before else []
        if [ask.id for ask in before] == [ask.id for ask in after]:
            yield
            return
        wish[SHARES] = await _exchange(room, row, [*others, *after], {ask.id for ask in after})
        try:
            yield
        except BaseException:
            await _exchange(room, row, [*others, *before], set())
            raise

    return around


def held_by(port: PortRow) -> list[Ask]:
    """What a bound port was given, and by whom."""
    given, request = allocation_of(port), request_in(port.resource_request)
    groups = request.request_groups if request and given else []
    return [_ask(group, given[group.id]) for group in groups if group.id in given]


def _ask(group: Group, provider: str) -> Ask:
    return Ask(group.id, group.resources, frozenset(group.required), provider)


async def _siblings(tx: Transaction, row: PortRow) -> list[PortRow]:
    """The other ports of its server on the same node."""
    found = await tx.find(PortRow, device_id=row.device_id)
    return [port for port in found if port.id != row.id and port.host == row.host]


async def _held_under(tx: Transaction, call: Call, row: PortRow, policy_id: str | None) -> list[Ask]:
    """What it is to be given under another policy: of each kind that it has now, by the same provider."""
    policy = await applied_policy(tx, call, policy_id, row.qos_policy_id)
    network = await tx.get(NetworkRow, id=row.network_id)
    if network is None:
        return []
    now, given = request_in(row.resource_request), allocation_of(row)
    by_kind = {group.kind: given[group.id] for group in (now.request_groups if now else ()) if group.id in given}
    then = request_in(await request_of(tx, msgspec.structs.replace(row, qos_policy_id=policy), network))
    groups = then.request_groups if then else []
    return [_ask(group, by_kind[group.kind]) for group in groups if group.kind in by_kind]


async def _exchange(room: Network, row: PortRow, asks: list[Ask], own: set[str]) -> dict[str, str]:
    """Let its server hold these and no others. Raises QosPlacementAllocationUpdateConflict."""
    wanted = Asks(tuple(asks))
    given = await room.placement.serve(row.device_id, row.host, wanted, project_id=row.project_id, user_id="")
    if given is None:
        raise QosPlacementAllocationUpdateConflict(
            f"Failed to update allocation of server {row.device_id}: its host cannot promise {wanted.total} to its "
            "ports."
        )
    return {id: provider for id, provider in given.items() if id in own}
