"""From the block devices of a wish to the disks that a server is to have."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Any, Literal

import msgspec

from cumulet.core.errors import CloudError
from cumulet.core.web.call import Call
from cumulet.core.web.versions import version
from cumulet.lib.ids import is_uuid
from cumulet.lib.numbers import whole
from cumulet.services.block_storage.public import SnapshotView, VolumeView
from cumulet.services.compute.errors import InvalidServer
from cumulet.services.compute.flavors import Flavor
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.spec import free_device
from cumulet.services.image.public import ImageView

INVALID = "Block Device Mapping is Invalid: "
MULTIATTACH = version("2.60")
_DEVICE = re.compile(r"(?=.{1,16}\Z)[a-z]+[0-9]*\Z")


@dataclass(frozen=True)
class Plan:
    """One disk as it is asked for."""

    source: str
    source_id: str = ""
    local: bool = False
    size: int = 0
    device: str = ""
    boot_index: int = -1
    format: str = ""
    bus: str = ""
    device_type: str = ""
    volume_type: str = ""
    delete_on_termination: bool = False
    tag: str = ""
    multiattach: bool = False
    node: str = ""


def wished(wish: dict[str, Any]) -> list[Plan]:
    """The block devices of a wish, of the older or the newer syntax. Raises InvalidServer."""
    old, new = wish.get("block_device_mapping") or [], wish.get("block_device_mapping_v2") or []
    if old and new:
        raise InvalidServer("Using different block_device_mapping syntaxes is not allowed in the same request.")
    plans = [of_old(item) for item in old if item.get("no_device") is None]
    if plans and not wish.get("imageRef") and not any(plan.boot_index == 0 for plan in plans):
        plans[0] = replace(plans[0], boot_index=0)
    return plans + [of_new(item) for item in new if not item.get("no_device")]


def of_image(image: ImageView, wished: Sequence[Plan]) -> list[Plan]:
    """The disks that an image stands for, but for those in whose place others are wished. Raises InvalidServer."""
    text = image.properties.get("block_device_mapping")
    if not text:
        return []
    try:
        items = msgspec.json.decode(text, type=list[Mapped])
    except msgspec.DecodeError as error:
        raise InvalidServer(INVALID + f"image {image.id} has a block_device_mapping that is none: {error}") from error
    plans = [
        of_new(
            {
                "source_type": item.source_type,
                "destination_type": item.destination_type,
                "uuid": item.snapshot_id or item.volume_id or item.image_id,
                "boot_index": item.boot_index,
                "volume_size": item.volume_size,
                "device_name": item.device_name,
                "disk_bus": item.disk_bus,
                "device_type": item.device_type,
                "guest_format": item.guest_format,
                "delete_on_termination": item.delete_on_termination,
                "tag": item.tag,
            }
        )
        for item in items
        if not item.no_device
    ]
    taken = {plan.device for plan in wished if plan.device} | {
        f"boot {plan.boot_index}" for plan in wished if plan.boot_index >= 0
    }
    return [plan for plan in plans if not {plan.device, f"boot {plan.boot_index}"} & taken]


class Mapped(msgspec.Struct):
    """One disk in an image's property `block_device_mapping`, which anybody may have written."""

    source_type: Literal["blank", "image", "snapshot", "volume"] = "blank"
    destination_type: Literal["local", "volume"] | None = None
    snapshot_id: str | None = None
    volume_id: str | None = None
    image_id: str | None = None
    no_device: bool | None = None
    volume_size: Annotated[int, msgspec.Meta(ge=0, le=1 << 31)] | None = None
    device_name: str | None = None
    device_type: Literal["disk", "cdrom"] | None = None
    disk_bus: Annotated[str, msgspec.Meta(max_length=16)] | None = None
    guest_format: str | None = None
    boot_index: Annotated[int, msgspec.Meta(ge=-1, le=1 << 31)] | None = None
    delete_on_termination: bool | None = None
    tag: Annotated[str, msgspec.Meta(max_length=60)] | None = None


def of_old(item: dict[str, Any]) -> Plan:
    device = short(item.get("device_name") or "")
    boot = 0 if device == "vda" else -1
    if item.get("snapshot_id"):
        source, source_id = "snapshot", item["snapshot_id"]
    elif item.get("volume_id"):
        source, source_id = "volume", item["volume_id"]
    else:
        raise InvalidServer(INVALID + "give a volume_id or a snapshot_id.")
    return checked(
        Plan(
            source,
            source_id,
            size=item.get("volume_size") or 0,
            device=device,
            boot_index=boot,
            delete_on_termination=item["delete_on_termination"],
        )
    )


def of_new(item: dict[str, Any]) -> Plan:
    source = item["source_type"]
    destination = item.get("destination_type") or ("local" if source in ("blank", "image") else "volume")
    boot = item.get("boot_index")
    size = item.get("volume_size")
    if isinstance(size, str):
        try:
            size = whole(size or "0")
        except ValueError as error:
            raise InvalidServer(f"Invalid input for field/attribute volume_size: {error}") from error
    return checked(
        Plan(
            source=source,
            source_id=item.get("uuid") or "",
            local=destination == "local",
            size=size or 0,
            device=short(item.get("device_name") or ""),
            boot_index=boot if boot is not None and boot >= 0 else -1,
            format=(item.get("guest_format") or "").lower(),
            bus=item.get("disk_bus") or "",
            device_type=item.get("device_type") or "",
            volume_type=item.get("volume_type") or "",
            delete_on_termination=bool(item["delete_on_termination"]),
            tag=item.get("tag") or "",
        )
    )


def checked(plan: Plan) -> Plan:
    """What a single disk can be judged by. Raises InvalidServer."""
    if plan.source != "blank" and not is_uuid(plan.source_id):
        raise InvalidServer(f"Invalid input for field/attribute uuid: {plan.source_id[:60]!r} is not a UUID")
    if plan.source == "blank" and plan.source_id:
        raise InvalidServer(INVALID + "Invalid uuid for a blank device: it has no source.")
    if plan.local and plan.source in ("volume", "snapshot"):
        raise InvalidServer(INVALID + f"Mapping {plan.source} to local is not supported.")
    if plan.local and plan.source == "image" and plan.boot_index != 0:
        raise InvalidServer(INVALID + "Mapping image to local is not supported except to boot from.")
    if not plan.local and plan.source in ("image", "blank") and not plan.size:
        raise InvalidServer(
            INVALID + "Images and blank devices with destination_type 'volume' need to have a non-zero size specified"
        )
    if plan.volume_type and (plan.local or plan.source == "volume"):
        raise InvalidServer(INVALID + "Specifying a volume_type is only for volumes that are made.")
    if plan.format not in ("", "swap", "ext2", "ext3", "ext4", "xfs", "vfat"):
        raise InvalidServer(INVALID + f"the guest format {plan.format[:20]!r} is not known.")
    return plan


def short(device: str) -> str:
    """`vdb` of `/dev/vdb`."""
    name = device.removeprefix("/dev/")
    if name and not _DEVICE.match(name):
        raise InvalidServer(f"The supplied device path ({device[:60]}) is invalid.")
    return name


def ordered(plans: Sequence[Plan], flavor: Flavor, *, image: bool, root: str = "vda") -> list[Plan]:
    """Each disk with its device name; the one to boot from first. Raises InvalidServer."""
    indexes = [plan.boot_index for plan in plans if plan.boot_index >= 0]
    if len(set(indexes)) != len(indexes):
        raise InvalidServer(
            INVALID + "Boot sequence for the instance and image/block device mapping combination is not valid."
        )
    boots_volume = any(plan.boot_index == 0 and not plan.local for plan in plans)
    if image and boots_volume:
        raise InvalidServer(
            INVALID + "Boot sequence for the instance and image/block device mapping combination is not valid."
        )
    if sum(plan.local and plan.format == "swap" for plan in plans) > 1:
        raise InvalidServer(INVALID + "more than one swap drive requested.")
    if sum(plan.size for plan in plans if plan.local and plan.format == "swap") * 1024 > flavor.swap:
        raise InvalidServer(INVALID + "Swap drive requested is larger than instance type allows.")
    if sum(plan.size for plan in plans if plan.local and plan.format != "swap" and plan.source == "blank") > (
        flavor.ephemeral
    ):
        raise InvalidServer(
            INVALID + "Ephemeral disks requested are larger than the instance type allows. If no size is given in one "
            "block device mapping, flavor ephemeral size will be used."
        )
    taken = {plan.device for plan in plans if plan.device}
    if len(taken) != sum(1 for plan in plans if plan.device):
        raise InvalidServer(INVALID + "two devices have the same name.")
    if not boots_volume:
        taken.add(root)
    found = []
    for plan in sorted(plans, key=lambda plan: plan.boot_index if plan.boot_index >= 0 else 1 << 20):
        if plan.source == "image" and plan.local:
            continue  # the flavor's own root disk
        device = plan.device or (root if plan.boot_index == 0 and root not in taken else free_device(taken))
        taken.add(device)
        size = plan.size or (flavor.ephemeral if plan.local else 0)
        found.append(replace(plan, device=device, size=size))
    return found


async def usable_volume(room: Compute, call: Call, volume_id: str, *, bootable: bool) -> VolumeView:
    """A given volume that a server may have. Raises InvalidServer."""
    try:
        volume = await room.volumes.get(call.caller, volume_id)
    except CloudError as error:
        if error.status >= 500:
            raise
        raise InvalidServer(INVALID + f"failed to get volume {volume_id}.") from error
    shared = volume.multiattach and call.version >= MULTIATTACH and volume.status == "in-use"
    if volume.status != "available" and not shared:
        raise InvalidServer(
            INVALID + f"volume {volume_id} has the status {volume.status}; it must be available to be attached."
        )
    if bootable and not volume.bootable:
        raise InvalidServer(f"Block Device {volume_id} is not bootable.")
    return volume


async def usable_snapshot(room: Compute, call: Call, plan: Plan) -> SnapshotView:
    """The snapshot of which a server's volume is to be made. Raises InvalidServer."""
    try:
        snapshot = await room.volumes.snapshot(call.caller, plan.source_id)
    except CloudError as error:
        if error.status >= 500:
            raise
        raise InvalidServer(INVALID + f"failed to get snapshot {plan.source_id}.") from error
    if plan.size and plan.size < snapshot.size:
        raise InvalidServer(
            INVALID + f"a volume of {plan.size} GiB is smaller than the snapshot {plan.source_id}, "
            f"which has {snapshot.size} GiB."
        )
    if plan.boot_index == 0 and not snapshot.bootable:
        raise InvalidServer(f"Block Device {plan.source_id} is not bootable.")
    return snapshot
