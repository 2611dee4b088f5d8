"""A server leaves its host and keeps all else, until its owner wants it back."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.errors import BadRequest
from cumulet.core.web.call import Call
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Anything
from cumulet.services.compute.errors import InstanceNotReady
from cumulet.services.compute.hosts import zones
from cumulet.services.compute.moves.begin import known_host
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.actions import API
from cumulet.services.compute.servers.operations import VERBS, act, check
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import DiskRow, ServerRow, Wanted
from cumulet.services.compute.servers.tell import json_of
from cumulet.services.compute.snapshots.begin import begin, start


@servers.action("shelve", API + "os-shelve:shelve", kind=Anything)
async def shelve(room: Compute, call: Call, row: ServerRow) -> None:
    check(call, row, VERBS["shelve"])
    image_id = await begin(room, call, row, f"{row.name}-shelved", "snapshot", {}, {}) if row.image_ref else ""

    def alter(found: ServerRow) -> None:
        found.wanted, found.shelved_image_id = Wanted.SHELVED, image_id
        if image_id:
            found.job = "shelving_image_pending_upload"

    if image_id:
        await start(room, call, row, "shelve", image_id, "shelve", 0, alter)
    else:
        await act(room, call, row, "shelve", alter)


@servers.action("shelveOffload", API + "os-shelve:shelve_offload", kind=Anything)
async def shelve_offload(room: Compute, call: Call, row: ServerRow) -> None:
    """A shelved server leaves its host by itself here; one that has not been shelved is a conflict."""
    check(call, row, VERBS["shelveOffload"])


@servers.action("unshelve", API + "os-shelve:unshelve", kind=Anything)
async def unshelve(room: Compute, call: Call, row: ServerRow) -> None:
    check(call, row, VERBS["unshelve"])
    zone, host = await unshelve_place(room, call, row, call.wish["unshelve"])
    text = ""
    if row.shelved_image_id:
        found_ref = await room.images.ref(row.shelved_image_id)
        if found_ref is None:
            raise InstanceNotReady(f"Image {row.shelved_image_id} of the shelved instance {row.id} could not be found.")
        text = json_of(found_ref)

    def alter(found: ServerRow) -> None:
        found.wanted = Wanted.RUNNING
        found.image_ref = text or found.image_ref
        found.host_wanted = host
        if zone is not None:
            found.pinned_zone = zone

    async def also(tx: Transaction, found: ServerRow) -> None:
        await tx.update(DiskRow, {"server_id": found.id}, connected=False)

    await act(room, call, row, "unshelve", alter, also)


async def unshelve_place(room: Compute, call: Call, row: ServerRow, body: Any) -> tuple[str | None, str]:
    """The zone (None: as before) and host that an unshelve asks for."""
    if body in (None, {}):
        return None, ""
    allowed = {"availability_zone"} if call.version >= version("2.77") else set()
    if call.version >= version("2.91"):
        allowed.add("host")
    if not isinstance(body, dict) or set(body) - allowed:
        raise BadRequest("Invalid input for field/attribute unshelve: it takes null at this version")
    host, zone = body.get("host") or "", body.get("availability_zone")
    if not isinstance(host, str) or not isinstance(zone, str | None):
        raise BadRequest("Invalid input for field/attribute unshelve: host and availability_zone are names")
    if host:
        call.allow(API + "os-shelve:unshelve_to_host", servers.target(row))
        await known_host(room, host)
    if zone and zone not in set((await zones(room)).values()):
        raise BadRequest(f"The requested availability zone is not available: {zone[:60]}")
    if "availability_zone" in body:
        return zone or "", host
    return None, host
