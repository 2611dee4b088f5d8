"""A server gets another size, which its owner then keeps or not."""

from __future__ import annotations

import msgspec

from cumulet.core.errors import BadRequest
from cumulet.core.web.body import OPTIONAL
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Anything
from cumulet.lib.numbers import whole_or_none
from cumulet.services.compute.links import ref_id
from cumulet.services.compute.moves.begin import decide, move
from cumulet.services.compute.moves.row import RESIZE
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers import admission, wishes
from cumulet.services.compute.servers.actions import SERVERS, given
from cumulet.services.compute.servers.look import flavor_of
from cumulet.services.compute.servers.operations import VERBS, check
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import ServerRow


@servers.action(
    "resize",
    SERVERS + "resize",
    given("flavorRef", wishes.FlavorRef),
    given("OS-DCF:diskConfig", wishes.DiskConfig, OPTIONAL),
)
async def resize(room: Compute, call: Call, row: ServerRow) -> None:
    check(call, row, VERBS["resize"])
    flavor = await admission.flavor_for(room, call, ref_id(call.wish["flavorRef"]))
    now = flavor_of(row)
    if flavor.id == row.flavor_id:
        raise BadRequest("When resizing, instances must change flavor!")
    if row.image_ref and flavor.disk < now.disk:
        raise BadRequest("Resize to a flavor with a smaller disk is not possible: a disk cannot shrink.")
    smallest = whole_or_none(msgspec.json.decode(row.image).get("min_ram", "0"))
    if smallest is not None and smallest > flavor.ram:
        raise BadRequest("Flavor's memory is too small for requested image.")
    await move(room, call, row, "resize", RESIZE, flavor, disk_config=call.wish.get("OS-DCF:diskConfig", ""))


@servers.action("confirmResize", SERVERS + "confirm_resize", kind=Anything, status=204)
async def confirm_resize(room: Compute, call: Call, row: ServerRow) -> None:
    await decide(room, call, row, "confirmResize", "confirm", "confirming", "resized")


@servers.action("revertResize", SERVERS + "revert_resize", kind=Anything)
async def revert_resize(room: Compute, call: Call, row: ServerRow) -> None:
    await decide(room, call, row, "revertResize", "revert", "reverting", "resize_reverting")
