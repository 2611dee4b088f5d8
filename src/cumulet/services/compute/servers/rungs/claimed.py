"""A place on a host, held in placement."""

from __future__ import annotations

from cumulet.contracts.assignments import Fault
from cumulet.core.reconcile import Again, Failed, Outcome
from cumulet.services.compute.hosts import zone_of
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.look import Look, resources_of
from cumulet.services.compute.servers.place import NO_VALID_HOST, claim_best, elders_wait, request_for
from cumulet.services.compute.servers.row import ServerRow
from cumulet.services.compute.servers.rungs.attached import ATTACHING_SECONDS, make_volume
from cumulet.services.compute.servers.rungs.waiting import LOOK_AGAIN, waiting
from cumulet.services.compute.servers.rungs.wired import allot, holds_its_shares
from cumulet.services.compute.servers.store import change, note


def is_claimed(look: Look) -> bool:
    host = look.server.host
    return bool(host) and host in look.claims and (bool(look.server.launched_at) or holds_its_shares(look))


def is_held(look: Look) -> bool:
    return bool(look.claims)


async def claim_host(room: Compute, look: Look) -> Outcome:
    server = look.server
    if server.host and server.host in look.claims:
        await allot(room, server)  # what its ports ask for changed before it ran
        return Again()
    wanted = resources_of(look.flavor, root_is_volume=root_is_volume(look))
    if not server.host and look.claims:
        # An earlier run claimed this place and ended before it could write that down.
        host = sorted(look.claims)[0]
        zone = await zone_of(room, host)
        await note(room, server.id, lambda row: placed(row, host, zone))
        return Again()
    if await elders_wait(room, server):
        return Again(LOOK_AGAIN, "older servers of its group are placed first")
    near = await nodes_of_volumes(room, look)
    if near is None:
        return waiting(room, look, ATTACHING_SECONDS, "its volumes are not made", "Block Device Mapping is Invalid")
    if len(near) > 1:
        apart = "Its volumes lie on different hosts; migrate one of them to the other's."
        return Failed(Fault(message=NO_VALID_HOST + apart, code=500, details=f"They lie on {', '.join(sorted(near))}."))
    avoid = look.lingers_on
    request = await request_for(
        room,
        server,
        look.flavor,
        wanted,
        host=server.host or server.host_wanted,
        bound=frozenset(near),
        avoid=avoid,
        disks=look.kept,
        cards=look.cards,
    )
    found = await claim_best(room, server, request, look.asks_at(""))
    if isinstance(found, Fault):
        leaving = any(map(look.alive, avoid))
        return Again(LOOK_AGAIN, "a node lets go of it first") if leaving else Failed(found)
    name, zone = found
    await note(room, server.id, lambda row: placed(row, name, zone))
    return Again()


def placed(row: ServerRow, host: str, zone: str) -> None:
    row.host, row.zone, row.host_status = host, zone, "UP"


def root_is_volume(look: Look) -> bool:
    return not look.server.image_ref or any(disk.boot_index == 0 and not disk.local for disk in look.kept)


async def nodes_of_volumes(room: Compute, look: Look) -> set[str] | None:
    """Where its volumes are, those that are to be made included; None: one is not placed yet."""
    found: set[str] = set()
    for disk in look.kept:
        if not disk.local and not disk.node and disk.source != "volume":
            volume = await make_volume(room, look.server, disk)
            if volume.status == "creating":
                return None
            disk.node = volume.node
            await change(room, disk, node=disk.node)
        found.add(disk.node)
    return found - {""}


async def free_claim(room: Compute, look: Look) -> Outcome:
    if look.move is not None:
        await room.placement.release(look.move.id)
    await room.placement.release(look.server.id)
    return Again()
