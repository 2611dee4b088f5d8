"""Volumes and their snapshots, as compute showed them until 2.35."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import Bool, Int, Metadata, Nullable, Text
from cumulet.services.compute.proxies.passing import LAST, ask, named, window
from cumulet.services.compute.room import Compute

RULE = "os_compute_api:os-volumes:"
Words = Nullable(Text(255))
Volume = Body(
    "volume",
    (
        Field("size", Int(1), create=REQUIRED),
        Field("display_name", Words, create=OPTIONAL),
        Field("display_description", Words, create=OPTIONAL),
        Field("volume_type", Words, create=OPTIONAL),
        Field("metadata", Nullable(Metadata), create=OPTIONAL),
        Field("snapshot_id", Words, create=OPTIONAL),
        Field("availability_zone", Words, create=OPTIONAL),
    ),
)
Snapshot = Body(
    "snapshot",
    (
        Field("volume_id", Text(255), create=REQUIRED),
        Field("force", Bool, create=OPTIONAL),
        Field("display_name", Words, create=OPTIONAL),
        Field("display_description", Words, create=OPTIONAL),
    ),
)


def shown_volume(volume: dict[str, Any]) -> dict[str, Any]:
    held = [
        {"id": volume["id"], "volumeId": volume["id"], "serverId": one["server_id"], "device": one["device"]}
        for one in volume["attachments"]
    ]
    return {
        "id": volume["id"],
        "status": volume["status"],
        "size": volume["size"],
        "availabilityZone": volume["availability_zone"],
        "createdAt": volume["created_at"],
        "displayName": volume["name"],
        "displayDescription": volume["description"],
        "volumeType": volume["volume_type"],
        "snapshotId": volume["snapshot_id"],
        "metadata": volume["metadata"],
        "attachments": held or [{}],
    }


def shown_snapshot(snapshot: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": snapshot["id"],
        "volumeId": snapshot["volume_id"],
        "status": snapshot["status"],
        "size": snapshot["size"],
        "createdAt": snapshot["created_at"],
        "displayName": snapshot["name"],
        "displayDescription": snapshot["description"],
    }


def asked(wish: dict[str, Any]) -> dict[str, Any]:
    """A wish in block storage's words, without what was left open."""
    plain = {name.removeprefix("display_"): value for name, value in wish.items()}
    return {name: value for name, value in plain.items() if value is not None}


def routes(
    one: str, path: str, rule: str, body: Body, show: Callable[[dict[str, Any]], dict[str, Any]]
) -> list[Endpoint]:
    """The five operations of a noun of block storage."""
    many = one + "s"

    def listed(verb: str) -> Callable[[Compute, Call], Any]:
        async def index(room: Compute, call: Call) -> dict[str, Any]:
            call.allow(rule + verb)
            found = await ask(room.volumes.api, call, "GET", f"/{many}/detail")
            return {many: window(call, [show(row) for row in found[many]])}

        return index

    async def item(room: Compute, call: Call) -> dict[str, Any]:
        call.allow(rule + "show")
        return {one: show((await ask(room.volumes.api, call, "GET", f"/{many}/{named(call)}"))[one])}

    async def create(room: Compute, call: Call) -> dict[str, Any]:
        call.allow(rule + "create")
        made = await ask(room.volumes.api, call, "POST", f"/{many}", {one: asked(call.wish)})
        found = await ask(room.volumes.api, call, "GET", f"/{many}/{made[one]['id']}")
        return {one: show(found[one])}

    async def delete(room: Compute, call: Call) -> None:
        call.allow(rule + "delete")
        await ask(room.volumes.api, call, "DELETE", f"/{many}/{named(call)}")

    return [
        Endpoint("GET", path, listed("list"), until=LAST, name=f"{many}_of_old"),
        Endpoint("GET", f"{path}/detail", listed("detail"), until=LAST, name=f"{many}_of_old_in_detail"),
        Endpoint("POST", path, create, until=LAST, body=body, name=f"create_{one}"),
        Endpoint("GET", f"{path}/{{id}}", item, until=LAST, name=f"{one}_of_old"),
        Endpoint("DELETE", f"{path}/{{id}}", delete, 202, until=LAST, name=f"delete_{one}"),
    ]


ROUTES = (
    *routes("volume", "/os-volumes", RULE, Volume, shown_volume),
    *routes("snapshot", "/os-snapshots", RULE + "snapshots:", Snapshot, shown_snapshot),
)
