"""A server is made anew: its disk of another image, or the volume that it boots from written over."""

from __future__ import annotations

from cumulet.core.access.caller import Caller
from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL
from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Bool, Name, Text
from cumulet.services.compute.errors import InvalidServer
from cumulet.services.compute.links import ref_id
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers import admission, boot_images, wishes
from cumulet.services.compute.servers.actions import SERVERS, given
from cumulet.services.compute.servers.look import flavor_of
from cumulet.services.compute.servers.operations import VERBS, act, check
from cumulet.services.compute.servers.resource import answered, servers
from cumulet.services.compute.servers.row import DiskRow, ServerRow, Wanted
from cumulet.services.compute.servers.rungs.reimaged import wish_for
from cumulet.services.compute.servers.tell import json_of
from cumulet.services.image.public import ImageView

REIMAGES = version("2.93")
"""Since then a rebuild writes the image over the volume that a server boots from."""


@servers.action(
    "rebuild",
    SERVERS + "rebuild",
    given("imageRef", Text(255, 1)),
    given("name", Name, OPTIONAL),
    given("adminPass", wishes.AdminPass, OPTIONAL),
    given("metadata", wishes.ServerMetadata, OPTIONAL),
    given("preserve_ephemeral", Bool, OPTIONAL),
    given("OS-DCF:diskConfig", wishes.DiskConfig, OPTIONAL),
    given("accessIPv4", wishes.AddressV4, OPTIONAL),
    given("accessIPv6", wishes.AddressV6, OPTIONAL),
    given("personality", wishes.Personality, OPTIONAL, until="2.56"),
    given("description", wishes.Description, OPTIONAL, since="2.19"),
    given("key_name", Text(255, 1).or_null(), OPTIONAL, since="2.54"),
    given("user_data", wishes.UserData, OPTIONAL, since="2.57"),
    given("trusted_image_certificates", wishes.Certificates, OPTIONAL, since="2.63"),
    given("hostname", wishes.Hostname, OPTIONAL, since="2.90", until="2.93"),
    given("hostname", wishes.LongHostname, OPTIONAL, since="2.94"),
)
async def rebuild(room: Compute, call: Call, row: ServerRow) -> Response:
    wish = call.wish
    check(call, row, VERBS["rebuild"])
    image_id = ref_id(wish["imageRef"])
    image = await boot_images.image_for(room, call, image_id)
    boot_images.fits(image, flavor_of(row), root_is_volume=not row.image_ref)
    reimages = not row.image_ref and await may_reimage(room, call, row, image)
    checked = admission.Admitted(flavor=flavor_of(row))
    await admission.admit_limits(room, call, checked)
    await admission.admit_key(room, call, checked)
    text = await boot_images.image_text(room, image_id)

    def alter(found: ServerRow) -> None:
        if found.image_ref:
            found.image_id, found.image_ref = image_id, text
        found.image = json_of(boot_images.kept_properties(image))
        found.rebuilds += 1
        found.name = wish.get("name", found.name)
        found.hostname = wish.get("hostname", found.hostname)
        found.admin_password = wish.get("adminPass") or found.admin_password
        found.disk_config = wish.get("OS-DCF:diskConfig", found.disk_config)
        found.access_ip_v4 = wish.get("accessIPv4", found.access_ip_v4)
        found.access_ip_v6 = wish.get("accessIPv6", found.access_ip_v6)
        if "metadata" in wish:
            found.metadata = json_of(wish["metadata"])
        if "description" in wish:
            found.description = wish["description"]
        if "key_name" in wish:
            found.key_name, found.key = checked.key_name, checked.key
        if "user_data" in wish:
            found.user_data = wish["user_data"]
        if "personality" in wish:
            found.files = json_of(list(checked.files))
        if "trusted_image_certificates" in wish:
            found.trusted_certs = json_of(wish["trusted_image_certificates"])
        if found.wanted not in (Wanted.RUNNING, Wanted.STOPPED):
            found.wanted = Wanted.RUNNING

    async def also(tx: Transaction, found: ServerRow) -> None:
        if reimages:
            await wish_for(tx, found.id, image_id)

    stored = await act(room, call, row, "rebuild", alter, also)
    shown = answered(call, stored, rebuilt=True)
    shown["adminPass"] = stored.admin_password
    if call.version >= version("2.54"):
        shown["key_name"] = stored.key_name
    if call.version >= version("2.57"):
        shown["user_data"] = stored.user_data
    return Response.json(202, {"server": shown}, {"Location": f"{call.base}/servers/{row.id}"})


async def may_reimage(room: Compute, call: Call, row: ServerRow, image: ImageView) -> bool:
    """Whether the volume that the server boots from is to hold this image anew. Raises InvalidServer if it cannot."""
    async with room.database.read() as tx:
        roots = await tx.find(DiskRow, server_id=row.id, boot_index=0, local=False, wanted="attached")
    if not roots:
        raise InvalidServer(f"Instance {row.id} has no volume that it boots from.")
    if call.version >= REIMAGES:
        if not image.size:
            raise InvalidServer(f"Image {image.id} has no bytes of its own that could be written over a volume.")
        size = (await room.volumes.sizes([roots[0].volume_id])).get(roots[0].volume_id, 0)
        if size and image.min_disk > size:
            raise InvalidServer(
                f"Volume {roots[0].volume_id} of {size} GiB is too small: image {image.id} needs {image.min_disk} GiB."
            )
        return True
    volume = await room.volumes.get(Caller(user_id="", project_id=row.project_id), roots[0].volume_id)
    if volume.image_metadata.get("image_id") != image.id:
        raise InvalidServer(
            "Unable to rebuild with a different image for a volume-backed server. Microversion 2.93 writes the image "
            "over its volume."
        )
    return False
