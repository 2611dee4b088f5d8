"""Verbs that change what a server is made of or where it runs: rebuild, rescue, resize, migrate, evacuate, shelve."""

from __future__ import annotations

from secrets import token_hex
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.access.caller import Caller
from cumulet.core.db import Query, Transaction
from cumulet.core.errors import BadRequest, OverQuota
from cumulet.core.web.body import OPTIONAL, REQUIRED
from cumulet.core.web.call import Call
from cumulet.core.web.request import Response
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Anything, Bool, Name, Obj, Text
from cumulet.lib.ids import new_uuid
from cumulet.lib.numbers import whole_or_none
from cumulet.services.compute.errors import InstanceInvalidState, InstanceNotReady, InvalidServer
from cumulet.services.compute.flavors import Flavor
from cumulet.services.compute.hosts import zones
from cumulet.services.compute.links import ref_id
from cumulet.services.compute.moves.row import COLD, EVACUATION, LIVE, RESIZE, MoveRow
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers import admission, wishes
from cumulet.services.compute.servers.actions import API, SERVERS, given
from cumulet.services.compute.servers.counted import growth
from cumulet.services.compute.servers.create import exceeded
from cumulet.services.compute.servers.look import flavor_of
from cumulet.services.compute.servers.operations import VERBS, act, check
from cumulet.services.compute.servers.resource import answered, servers
from cumulet.services.compute.servers.row import DiskRow, ServerRow, Wanted
from cumulet.services.compute.servers.rungs.reimaged import wish_for
from cumulet.services.compute.servers.tell import json_of
from cumulet.services.image.public import ImageView

REIMAGES = version("2.93")
"""Since then a rebuild writes the image over the volume that a server boots from."""
BEGINNINGS = {EVACUATION: ("accepted", "rebuilding"), LIVE: ("queued", "migrating")}
"""Status of a move, and task of its server, where nobody turns the server off first."""
_last = Query(sa.select(sa.func.max(MoveRow.c.number)))


# ---- rebuild ----------------------------------------------------------------------------------------------------


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
    image = await admission.image_for(room, call, image_id)
    admission.fits(image, flavor_of(row), root_is_volume=not row.image_ref)
    reimages = not row.image_ref and await may_reimage(room, call, row, image)
    checked = admission.Admitted(flavor=flavor_of(row))
    await admission.admit_limits(room, call, checked)
    await admission.admit_key(room, call, checked)
    text = await admission.image_text(room, image_id)

    def alter(found: ServerRow) -> None:
        if found.image_ref:
            found.image_id, found.image_ref = image_id, text
        found.image = json_of(admission.kept_properties(image))
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


# ---- rescue -----------------------------------------------------------------------------------------------------


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
    await admission.image_for(room, call, image_id)
    text = await admission.image_text(room, image_id)
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


# ---- resize and migrate -----------------------------------------------------------------------------------------


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


@servers.action("migrate", API + "os-migrate-server:migrate", kind=Anything)
async def migrate(room: Compute, call: Call, row: ServerRow) -> None:
    check(call, row, VERBS["migrate"])
    body = call.wish["migrate"]
    host = ""
    if call.version >= version("2.56") and body is not None:  # what was sent before says nothing
        if not isinstance(body, dict) or not set(body) <= {"host"} or not isinstance(body.get("host"), str | None):
            raise BadRequest("Invalid input for field/attribute migrate: it takes null, or the name of a host")
        host = body.get("host") or ""
    if host:
        call.allow(API + "os-migrate-server:migrate:host", servers.target(row))
        await known_host(room, host)
        if host == row.host:
            raise BadRequest(f"Unable to migrate instance {row.id} to current host {host}.")
    await move(room, call, row, "migrate", COLD, flavor_of(row), host)


async def known_host(room: Compute, host: str) -> None:
    if await room.fleet.node(host) is None:
        raise BadRequest(f"Compute host {host[:60]} could not be found.")


async def move(
    room: Compute,
    call: Call,
    row: ServerRow,
    verb: str,
    kind: str,
    flavor: Flavor,
    host: str = "",
    disk_config: str = "",
    forced: bool = False,
) -> None:
    """Begin a move: its row, the larger of both sizes counted, the server off until it arrives unless it stays on."""
    old = flavor_of(row)
    grows = growth(old, flavor, root_is_volume=not row.image_ref)
    status, task = BEGINNINGS.get(kind, ("migrating", "resize_prep"))

    await room.quota.learn(row.project_id)

    async def also(tx: Transaction, found: ServerRow) -> None:
        if await tx.get(MoveRow, server_id=found.id, open="open"):
            raise InstanceInvalidState(verb, found.id, "task_state", found.task_state)
        try:
            await room.quota.take(tx, found.project_id, **grows)
        except OverQuota as over:
            limits, used = await room.quota.limits(tx, found.project_id), await room.quota.usage(tx, found.project_id)
            raise OverQuota(exceeded(over.resources, grows, 1, limits, used), over.resources) from over
        now = room.clock.now()
        await tx.insert(
            MoveRow(
                id=new_uuid(),
                number=1 + int(await tx.scalar(_last) or 0),
                server_id=found.id,
                project_id=found.project_id,
                user_id=call.caller.user_id,
                kind=kind,
                open="open",
                wish="go",
                status=status,
                source=found.host,
                destination="",
                host_wanted=host,
                forced=forced,
                secret=token_hex(32) if kind == LIVE else "",
                old_flavor=json_of(old),
                new_flavor=json_of(flavor),
                power=Wanted.RUNNING if row.wanted == Wanted.RUNNING else Wanted.STOPPED,
                created_at=now,
                updated_at=now,
            )
        )

    def alter(found: ServerRow) -> None:
        found.move = task
        found.disk_config = disk_config or found.disk_config
        if kind not in BEGINNINGS:
            found.wanted = Wanted.STOPPED

    await act(room, call, row, verb, alter, also)


async def decide(room: Compute, call: Call, row: ServerRow, verb: str, wish: str, status: str, task: str) -> None:
    """Tell the finished move what its owner wants."""

    async def also(tx: Transaction, found: ServerRow) -> None:
        changed = await tx.update(
            MoveRow, {"server_id": row.id, "open": "open", "status": "finished"},
            wish=wish, status=status, updated_at=room.clock.now(),
        )  # fmt: skip
        if not changed:
            raise BadRequest("Instance has not been resized.")

    def alter(found: ServerRow) -> None:
        found.move = task
        if wish == "revert":
            found.wanted = Wanted.STOPPED

    await act(room, call, row, verb, alter, also)


@servers.action("confirmResize", SERVERS + "confirm_resize", kind=Anything, status=204)
async def confirm_resize(room: Compute, call: Call, row: ServerRow) -> None:
    await decide(room, call, row, "confirmResize", "confirm", "confirming", "resized")


@servers.action("revertResize", SERVERS + "revert_resize", kind=Anything)
async def revert_resize(room: Compute, call: Call, row: ServerRow) -> None:
    await decide(room, call, row, "revertResize", "revert", "reverting", "resize_reverting")


@servers.action(
    "evacuate",
    API + "os-evacuate",
    given("host", Text(255, 1), OPTIONAL),
    given("onSharedStorage", Bool, REQUIRED, until="2.13"),
    given("force", Bool, OPTIONAL, since="2.29", until="2.67"),
    given("adminPass", wishes.AdminPass, OPTIONAL),
    status=200,
)
async def evacuate(room: Compute, call: Call, row: ServerRow) -> dict[str, str] | None:
    check(call, row, VERBS["evacuate"])
    host = call.wish.get("host") or ""
    if host:
        if await room.fleet.node(host) is None:
            raise BadRequest(f"Compute host {host[:60]} not found.")
        if host == row.host:
            raise BadRequest("The target host can't be the same one.")
    node = await room.fleet.node(row.host) if row.host else None
    if node is None or node.alive:
        raise BadRequest(
            f"Compute service of {row.host or 'its host'} is still in use. Only servers of a host that is down are "
            "evacuated."
        )
    forced = bool(call.wish.get("force"))
    if forced and not host:
        raise BadRequest("Can't force to a non-provided destination")
    await move(room, call, row, "evacuate", EVACUATION, flavor_of(row), host, forced=forced)
    return {"adminPass": row.admin_password} if call.version < version("2.14") else None


# ---- shelve -----------------------------------------------------------------------------------------------------


@servers.action("shelve", API + "os-shelve:shelve", kind=Anything)
async def shelve(room: Compute, call: Call, row: ServerRow) -> None:
    from cumulet.services.compute.snapshots import begin, start

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
