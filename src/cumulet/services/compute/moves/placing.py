"""A place for a server that moves: on another host, or on its own if it only grows."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cumulet.contracts.assignments import Fault
from cumulet.core.errors import Unavailable
from cumulet.services.compute.flavors import Flavor
from cumulet.services.compute.moves.row import MoveRow
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.look import Look
from cumulet.services.compute.servers.place import apart, claim_best, request_for

_flavor = msgspec.json.Decoder(Flavor)


async def claim_elsewhere(room: Compute, look: Look, move: MoveRow, wanted: Mapping[str, int]) -> str | Fault:
    """A place on the best other host; or on the one that an administrator insisted on, whatever filters say.

    Raises Unavailable while a node that might be the best has not let go of an earlier stay.
    """
    if claimed := claimed_elsewhere(look, move):
        return claimed
    found = await claim_now(room, look, move, wanted)
    if isinstance(found, Fault) and any(map(look.alive, look.lingers_on)):
        raise Unavailable("a node lets go of an earlier stay first")
    return found


async def claim_now(room: Compute, look: Look, move: MoveRow, wanted: Mapping[str, int]) -> str | Fault:
    server = look.server
    if not move.forced:
        flavor, avoid = _flavor.decode(move.new_flavor), look.lingers_on | {move.source}
        request = await request_for(
            room,
            server,
            flavor,
            wanted,
            host=move.host_wanted,
            avoid=avoid,
            disks=look.kept,
            cards=look.cards,
        )
        found = await claim_best(room, server, request, look.asks_at(""))
        return found if isinstance(found, Fault) else found[0]
    if move.host_wanted in look.lingers_on:
        return Fault(message=f"No valid host was found. {move.host_wanted} has not let go of an earlier stay.")
    if reason := (await apart(room, look.cards)).get(move.host_wanted):
        return Fault(message=f"No valid host was found. {move.host_wanted} cannot take it: {reason}.")
    node = await room.fleet.node(move.host_wanted)
    if node is None:
        return Fault(message=f"No valid host was found. There is no host {move.host_wanted} any more.")
    refused = await room.placement.claim(
        server.id,
        node.name,
        wanted,
        project_id=server.project_id,
        user_id=server.user_id,
        asks=look.asks_at(""),
    )
    if refused:
        return Fault(message=f"No valid host was found. {node.name} cannot take it: {refused}.")
    return node.name


def claimed_elsewhere(look: Look, move: MoveRow) -> str:
    """The host that an earlier run claimed before it was killed and could write that down."""
    return min(set(look.claims) - {move.source}, default="")


async def grow_in_place(room: Compute, look: Look, move: MoveRow, wanted: Mapping[str, int]) -> bool:
    """Whether its host could claim the larger of both sizes, so that going back always fits."""
    server, now = look.server, look.claims[move.source].own if move.source in look.claims else {}
    both = {name: max(wanted.get(name, 0), now.get(name, 0)) for name in {*wanted, *now}}
    return not await room.placement.claim(
        server.id, move.source, both, project_id=server.project_id, user_id=server.user_id
    )


def keeps_local_disk(look: Look) -> bool:
    """Whether anything of it lies on its host alone."""
    root_on_volume = any(disk.boot_index == 0 and not disk.local for disk in look.kept)
    own = any(disk.local for disk in look.kept) or look.flavor.ephemeral > 0 or look.flavor.swap > 0
    return own or not (root_on_volume or not look.server.image_ref)
