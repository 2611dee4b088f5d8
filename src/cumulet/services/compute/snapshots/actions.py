"""The verbs by which owners make images of their servers."""

from __future__ import annotations

from cumulet.core.errors import BadRequest
from cumulet.core.web.body import OPTIONAL, REQUIRED
from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Int, Name, Text
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.actions import API, SERVERS, given
from cumulet.services.compute.servers.admission import within
from cumulet.services.compute.servers.operations import VERBS, Alter, check
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import ServerRow
from cumulet.services.compute.servers.wishes import ServerMetadata
from cumulet.services.compute.snapshots.begin import begin, start


def with_job(kind: str) -> Alter:
    """What a server shows while its disk is being copied."""

    def alter(found: ServerRow) -> None:
        found.job = "image_snapshot" if kind == "snapshot" else "image_backup"

    return alter


@servers.action(
    "createImage",
    SERVERS + "create_image",
    given("name", Name),
    given("metadata", ServerMetadata, OPTIONAL),
)
async def create_image(room: Compute, call: Call, row: ServerRow) -> Response:
    check(call, row, VERBS["createImage"])
    metadata = call.wish.get("metadata") or {}
    async with room.database.read() as tx:
        limits = await room.quota.limits(tx, call.caller.project_id)
    within(len(metadata), limits["metadata_items"], "Image metadata limit exceeded:")
    image_id = await begin(room, call, row, call.wish["name"], "snapshot", metadata, {})
    await start(room, call, row, "createImage", image_id, "snapshot", 0, with_job("snapshot"))
    return begun(call, image_id)


def begun(call: Call, image_id: str) -> Response:
    """Where the image is: in a header at first, in the body later."""
    if call.version >= version("2.45"):
        return Response.json(202, {"image_id": image_id})
    return Response(202, headers={"Location": f"{call.base.rpartition('/')[0]}/images/{image_id}"})


@servers.action(
    "createBackup",
    API + "os-create-backup",
    given("name", Name),
    given("backup_type", Text(255)),
    given("rotation", Int(0), REQUIRED),
    given("metadata", ServerMetadata, OPTIONAL),
)
async def create_backup(room: Compute, call: Call, row: ServerRow) -> Response:
    wish = call.wish
    check(call, row, VERBS["createBackup"])
    if not row.image_ref:
        raise BadRequest("Backup is not supported for volume-backed instances.")
    kind = {"backup_type": wish["backup_type"]}
    image_id = await begin(room, call, row, wish["name"], "backup", wish.get("metadata") or {}, kind)
    await start(room, call, row, "createBackup", image_id, "backup", wish["rotation"], with_job("backup"))
    return begun(call, image_id)
