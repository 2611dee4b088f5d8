"""A server runs from a disk other than its own for a while, so that its own can be mended."""

from __future__ import annotations

from cumulet.core.errors import BadRequest
from cumulet.core.web.body import OPTIONAL
from cumulet.core.web.call import Call
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Anything, Obj, Text
from cumulet.services.compute.links import ref_id
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers import boot_images, wishes
from cumulet.services.compute.servers.actions import API, given
from cumulet.services.compute.servers.operations import VERBS, act, check
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import ServerRow, Wanted


@servers.action(
    "rescue",
    API + "os-rescue",
    kind=Obj(
        given("adminPass", wishes.AdminPass, OPTIONAL), given("rescue_image_ref", Text(255, 1), OPTIONAL)
    ).or_null(),
    status=200,
)
async def rescue(room: Compute, call: Call, row: ServerRow) -> dict[str, str]:
    check(call, row, VERBS["rescue"])
    if not row.image_ref and call.version < version("2.87"):
        raise BadRequest(f"Instance {row.id} cannot be rescued: Cannot rescue a volume-backed instance")
    wish = call.wish["rescue"] or {}
    image_id = ref_id(wish.get("rescue_image_ref") or row.image_id)
    if not image_id:
        raise BadRequest(f"Instance {row.id} cannot be rescued: give a rescue_image_ref to boot from")
    await boot_images.image_for(room, call, image_id)
    text = await boot_images.image_text(room, image_id)
    password = wish.get("adminPass") or row.admin_password

    def alter(found: ServerRow) -> None:
        found.rescue, found.wanted, found.admin_password = text, Wanted.RUNNING, password

    await act(room, call, row, "rescue", alter)
    return {"adminPass": password}


@servers.action("unrescue", API + "os-unrescue", kind=Anything)
async def unrescue(room: Compute, call: Call, row: ServerRow) -> None:
    def alter(found: ServerRow) -> None:
        found.rescue = ""

    await act(room, call, row, "unrescue", alter)
