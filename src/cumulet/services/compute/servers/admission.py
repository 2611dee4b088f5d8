"""Whether a wished server can be: all that can be said before it is written down. No transaction is open here."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec

from cumulet.core.errors import Forbidden
from cumulet.core.web.call import Call
from cumulet.services.compute.errors import InvalidServer, Limited
from cumulet.services.compute.flavors import Flavor, copy_of, visible_flavor
from cumulet.services.compute.hosts import zones
from cumulet.services.compute.keypairs import KeyPairRow
from cumulet.services.compute.links import ref_id
from cumulet.services.compute.room import Compute
from cumulet.services.compute.server_groups import ServerGroupRow
from cumulet.services.compute.servers.block_devices import (
    Plan,
    of_image,
    ordered,
    usable_snapshot,
    usable_volume,
    wished,
)
from cumulet.services.compute.servers.boot_images import fits, image_for, image_text, kept_properties
from cumulet.services.compute.servers.networks_asked import networks_asked
from cumulet.services.compute.servers.promises import unkept_by_flavor
from cumulet.services.network.public import NicRequest

CREATE = "os_compute_api:servers:create"


@dataclass
class Admitted:
    """A checked wish, with all that was found for it."""

    flavor: Flavor
    image_id: str = ""
    image: dict[str, str] = field(default_factory=dict)
    image_ref: str = ""
    key_name: str | None = None
    key: str = ""
    disks: Sequence[Plan] = ()
    nics: Sequence[NicRequest] = ()
    groups: Sequence[str] = ()
    zone: str = ""
    host: str = ""
    hints: dict[str, Any] = field(default_factory=dict)
    group_id: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    files: Sequence[tuple[str, str]] = ()
    least: int = 1
    most: int = 1


async def admit(room: Compute, call: Call) -> Admitted:
    """Check a wish for new servers. Raises what its maker can act on."""
    wish = call.wish
    admitted = Admitted(flavor=await flavor_for(room, call, ref_id(wish["flavorRef"])))
    admitted.least, admitted.most = counts(wish)
    await admit_limits(room, call, admitted)
    await admit_disks(room, call, admitted)
    await admit_key(room, call, admitted)
    await admit_place(room, call, admitted)
    admitted.groups = [group["name"] for group in wish.get("security_groups") or () if group.get("name")]
    several = admitted.most > 1
    admitted.nics = await networks_asked(room, call, admitted.groups, several=several)
    return admitted


def counts(wish: dict[str, Any]) -> tuple[int, int]:
    least = wish.get("min_count", 1)
    most = wish.get("max_count", least)
    if least > most:
        raise InvalidServer("min_count must be <= max_count")
    return least, most


async def flavor_for(room: Compute, call: Call, flavor_id: str) -> Flavor:
    row = await visible_flavor(room, call, flavor_id)
    if row is None:
        raise InvalidServer(f"Flavor {flavor_id[:255]} could not be found.")
    flavor = copy_of(row)
    unkept = unkept_by_flavor(flavor.extra_specs)
    if unkept:
        raise InvalidServer(f"Flavor {flavor.name} asks for what this cloud does not have: {unkept}.")
    return flavor


async def admit_limits(room: Compute, call: Call, admitted: Admitted) -> None:
    """Metadata and files, within what one server may have."""
    wish = call.wish
    await room.quota.learn(call.caller.project_id)
    async with room.database.read() as tx:
        limits = await room.quota.limits(tx, call.caller.project_id)
    admitted.metadata = wish.get("metadata") or {}
    within(len(admitted.metadata), limits["metadata_items"], "Maximum number of metadata items exceeds")
    admitted.files = [(item["path"], item["contents"]) for item in wish.get("personality") or ()]
    within(len(admitted.files), limits["injected_files"], "Personality file limit exceeded:")
    for path, content in admitted.files:
        within(len(path.encode()), limits["injected_file_path_bytes"], "Personality file path exceeds maximum length")
        size = len(base64.b64decode(content))
        within(size, limits["injected_file_content_bytes"], "Personality file content exceeds maximum length")


def within(count: int, limit: int, sentence: str) -> None:
    if 0 <= limit < count:
        raise Limited(f"{sentence} {limit}")


async def admit_disks(room: Compute, call: Call, admitted: Admitted) -> None:
    wish = call.wish
    image_id = ref_id(wish.get("imageRef") or "")
    plans = wished(wish)
    if plans and any(plan.source == "volume" for plan in plans):
        call.allow(CREATE + ":attach_volume")
    for plan in plans:
        if plan.local and plan.source == "image":
            if image_id and image_id != plan.source_id:
                raise InvalidServer("Block Device Mapping is Invalid: two different images to boot from.")
            image_id = plan.source_id
    if image_id:
        plans = [*of_image(await image_for(room, call, image_id), plans), *plans]
    boots_volume = any(plan.boot_index == 0 and not plan.local for plan in plans)
    if boots_volume and not any(plan.local and plan.source == "image" for plan in plans):
        image_id = ""  # both may be named; the disk that is to be booted from is the more precise of the two
    if not image_id and not boots_volume:
        raise InvalidServer("Invalid imageRef provided. Give an image, or a volume to boot from.")
    disks = ordered(plans, admitted.flavor, image=bool(image_id))
    admitted.disks = [await admit_disk(room, call, admitted, disk) for disk in disks]
    if not image_id:
        return
    image = await image_for(room, call, image_id)
    fits(image, admitted.flavor)
    if not admitted.flavor.disk and not call.may(CREATE + ":zero_disk_flavor"):
        raise Forbidden("Only volume-backed servers are allowed for flavors with zero disk.")
    admitted.image_id, admitted.image = image_id, kept_properties(image)
    admitted.image_ref = await image_text(room, image_id)


async def admit_disk(room: Compute, call: Call, admitted: Admitted, disk: Plan) -> Plan:
    """What a disk is made from exists and fits."""
    if disk.source == "volume":
        if admitted.most > 1:
            raise InvalidServer("Cannot attach one or more volumes to multiple instances")
        volume = await usable_volume(room, call, disk.source_id, bootable=disk.boot_index == 0)
        if disk.boot_index == 0:
            admitted.image = {k: str(v) for k, v in volume.image_metadata.items()}
        return replace(disk, size=volume.size, multiattach=volume.multiattach, node=volume.node)
    if disk.source == "snapshot":
        snapshot = await usable_snapshot(room, call, disk)
        if disk.boot_index == 0:
            admitted.image = {k: str(v) for k, v in snapshot.image_metadata.items()}
        return replace(disk, size=disk.size or snapshot.size)
    if disk.source == "image":
        image = await image_for(room, call, disk.source_id)
        fits(image, admitted.flavor, root_is_volume=True)
        if image.min_disk > disk.size:
            raise InvalidServer(
                f"Volume is smaller than the minimum size specified in image metadata. Volume size is "
                f"{disk.size << 30} bytes, minimum size is {image.min_disk << 30} bytes."
            )
        if disk.boot_index == 0:
            admitted.image = kept_properties(image)
    return disk


async def admit_key(room: Compute, call: Call, admitted: Admitted) -> None:
    name = call.wish.get("key_name")
    if not name:
        return
    async with room.database.read() as tx:
        row = await tx.get(KeyPairRow, user_id=call.caller.user_id, name=name)
    if row is None:
        raise InvalidServer(f"Invalid key_name provided: there is no key pair {name[:60]!r}.")
    admitted.key_name = name
    admitted.key = msgspec.json.encode({"name": name, "type": row.type, "public_key": row.public_key}).decode()


async def admit_place(room: Compute, call: Call, admitted: Admitted) -> None:
    """Zone, host and group."""
    wish = call.wish
    zone, _, host = (wish.get("availability_zone") or "").partition(":")
    host = host.partition(":")[0]
    if host:
        call.allow(CREATE + ":forced_host")
    named = wish.get("host") or wish.get("hypervisor_hostname") or ""
    if named:
        call.allow("compute:servers:create:requested_destination")
        if host:
            raise InvalidServer("A host can be named in availability_zone or in host, not in both.")
        host = named
        if await room.fleet.node(host) is None:
            raise InvalidServer(f"Compute host {host[:60]} could not be found.")
    if zone and zone not in set((await zones(room)).values()):
        raise InvalidServer(f"The requested availability zone {zone[:60]} is not available")
    admitted.zone, admitted.host = zone, host
    hints = call.wish.get("os:scheduler_hints") or call.wish.get("OS-SCH-HNT:scheduler_hints") or {}
    admitted.hints = hints
    if hints.get("group"):
        async with room.database.read() as tx:
            group = await tx.get(ServerGroupRow, id=hints["group"])
        if group is None or (group.project_id != call.caller.project_id and not call.may("context_is_admin")):
            raise InvalidServer(f"Server group {hints['group']} could not be found.")
        admitted.group_id = group.id
