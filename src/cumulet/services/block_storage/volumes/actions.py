"""The verbs of `POST /volumes/{id}/action` that change what a volume is, and what stands below a volume."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Anything, Bool, Enum, Int, Text, Uuid
from cumulet.services.block_storage import metadata
from cumulet.services.block_storage.errors import InvalidInput, InvalidVolume, MetadataKeyNotFound
from cumulet.services.block_storage.metadata import Alter, Metadata
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.volumes import arrival, mirroring, operations, store
from cumulet.services.block_storage.volumes.resource import RULE, volumes
from cumulet.services.block_storage.volumes.row import AttachmentRow, VolumeRow

ACTIONS = "volume_extension:volume_admin_actions:"
IMAGE = "volume_extension:volume_image_metadata:"
STATUSES = {
    "creating", "available", "deleting", "error", "error_deleting", "error_managing", "managing", "attaching",
    "in-use", "detaching", "maintenance", "restoring-backup", "error_restoring", "reserved", "awaiting-transfer",
    "backing-up", "error_backing-up", "error_extending", "downloading", "uploading", "retyping", "extending",
}  # fmt: skip
"""What an administrator may say that a volume is."""
DERIVED = {"available", "in-use"}
"""Said of a volume, these mean: look again what it truly is."""


@volumes.action("os-extend", RULE + "extend", Field("new_size", Int(1), create=REQUIRED))
async def extend(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    in_use = call.version >= version("3.42")
    if in_use and row.status == "in-use":
        call.allow(RULE + "extend_attached_volume", volumes.target(row))
    await operations.extend(room, row, call.wish["new_size"], in_use=in_use)


@volumes.action("os-set_bootable", RULE + "update", Field("bootable", Bool, create=REQUIRED), status=200)
async def set_bootable(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    await room.database.write(lambda tx: store.change(room, tx, row.id, bootable=call.wish["bootable"]))


@volumes.action("os-update_readonly_flag", RULE + "update_readonly_flag", Field("readonly", Bool, create=REQUIRED))
async def set_read_only(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    await room.database.write(lambda tx: store.change(room, tx, row.id, read_only=str(call.wish["readonly"])))


@volumes.action("revert", RULE + "revert_to_snapshot", Field("snapshot_id", Text(64), create=REQUIRED), since="3.40")
async def revert(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    await operations.revert(room, row, call.wish["snapshot_id"])


@volumes.action(
    "os-reimage",
    RULE + "reimage",
    Field("image_id", Uuid, create=REQUIRED),
    Field("reimage_reserved", Bool, create=OPTIONAL),
    since="3.68",
)
async def reimage(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    reserved = call.wish.get("reimage_reserved", False)
    if reserved and row.status == "reserved":
        call.allow(RULE + "reimage_reserved", volumes.target(row))
    await operations.reimage(room, call.caller, row, call.wish["image_id"], reserved=reserved)


@volumes.action("os-force_delete", ACTIONS + "force_delete", kind=Anything)
async def force_delete(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    await operations.delete(room, row, force=True)


@volumes.action(
    "os-reset_status",
    ACTIONS + "reset_status",
    Field("status", Text(64).or_null(), create=OPTIONAL),
    Field("attach_status", Enum("attached", "detached", ignore_case=True).or_null(), create=OPTIONAL),
    Field("migration_status", Text(64).or_null(), create=OPTIONAL),
)
async def reset_status(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    """An administrator's word on the state stands until the next one; the reconciler is not deceived by it."""
    status = (call.wish.get("status") or "").lower()
    if not any(call.wish.values()):
        raise InvalidInput("Must specify 'status', 'attach_status' or 'migration_status' for update.")
    if status and status not in STATUSES:
        raise InvalidInput(f"Invalid status: {status[:60]!r}; use one of {', '.join(sorted(STATUSES))}")
    word = (call.wish.get("migration_status") or "").lower()
    if word:
        await _say_of_its_move(room, row, word)
    if not status:
        return
    forced = "" if status in DERIVED else status

    async def write(tx: Transaction) -> None:
        volume = await store.held(room, tx, row.id)
        if volume.destination and not word:
            raise InvalidVolume(
                f"Volume {row.id} is on its way to another backend, and what is written to it meanwhile would be lost. "
                "Call that off with a reset of 'migration_status'."
            )
        # What failed is not tried again because somebody says that the volume is well.
        failed = bool(volume.fault and volume.made_size)
        given_up = {"restores": volume.made_restores, "reimages": volume.made_reimages} if failed else {}
        # A move that a machine makes ends when the machine has said so.
        hold = volume.hold if volume.destination else ""
        await store.order(room, tx, row.id, forced_status=forced, fault="", hold=hold, **given_up)

    await room.database.write(write)


MIGRATIONS = ("none", "starting", "migrating", "completing", "success", "error")


async def _say_of_its_move(room: BlockStorage, row: VolumeRow, word: str) -> None:
    """An administrator's word ends a move that is on its way: the volume stays where it is."""
    if word not in MIGRATIONS:
        raise InvalidInput(f"Invalid migration status: {word[:60]!r}; use one of {', '.join(MIGRATIONS)}")
    async with room.database.read() as tx:
        open_in = [one.id for one in await tx.find(AttachmentRow, volume_id=row.id) if one.move]
    if open_in:
        # Where it is, its machine's node says.
        return await mirroring.call_off(room, open_in[0], "an administrator has called it off")
    if row.destination:
        await arrival.end(room, row, arrival.ERROR)
    status = "" if word == "none" else word
    await room.database.write(lambda tx: store.change(room, tx, row.id, migration_status=status))


@volumes.action(
    "os-extend_volume_completion",
    ACTIONS + "extend_volume_completion",
    Field("error", Bool.or_null(), create=OPTIONAL),
    since="3.71",
)
async def complete_extension(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    """What a compute service says that makes files larger by itself. Here the node does, and its report is believed."""
    if row.status != "extending":
        raise InvalidVolume(f"status must be extending to complete that, not {row.status}")


# ---- metadata ---------------------------------------------------------------------------------------------------


async def _change_metadata(room: BlockStorage, tx: Transaction, volume_id: str, alter: Alter) -> dict[str, str]:
    volume = await store.held(room, tx, volume_id)
    text = metadata.altered(volume.metadata, alter)
    await store.change(room, tx, volume_id, metadata=text)
    return metadata.decoded(text)


metadata.declare(
    volumes,
    {verb: f"{RULE}{verb}_volume_metadata" for verb in ("get", "create", "update", "delete")},
    _change_metadata,
)


# ---- what it was made of ----------------------------------------------------------------------------------------


async def _change_image_metadata(room: BlockStorage, row: VolumeRow, alter: Alter) -> dict[str, str]:
    async def write(tx: Transaction) -> dict[str, str]:
        volume = await store.held(room, tx, row.id)
        text = metadata.altered(volume.image_metadata, alter)
        await store.change(room, tx, row.id, image_metadata=text)
        return metadata.decoded(text)

    return await room.database.write(write)


@volumes.action("os-set_image_metadata", IMAGE + "set", Field("metadata", Metadata, create=REQUIRED), status=200)
async def set_image_metadata(room: BlockStorage, call: Call, row: VolumeRow) -> dict[str, Any]:
    given = call.wish["metadata"]
    return {"metadata": await _change_image_metadata(room, row, lambda found: found.update(given))}


@volumes.action("os-show_image_metadata", IMAGE + "show", kind=Anything, status=200)
async def show_image_metadata(room: BlockStorage, call: Call, row: VolumeRow) -> dict[str, Any]:
    return {"metadata": msgspec.Raw(row.image_metadata.encode())}


@volumes.action("os-unset_image_metadata", IMAGE + "remove", Field("key", Text(255, 1), create=REQUIRED), status=200)
async def unset_image_metadata(room: BlockStorage, call: Call, row: VolumeRow) -> None:
    key = call.wish["key"]
    if key not in metadata.decoded(row.image_metadata):
        raise MetadataKeyNotFound(f"Volume {row.id} has no image metadata with key {key}.")

    def alter(found: dict[str, str]) -> None:
        found.pop(key, None)

    await _change_image_metadata(room, row, alter)


# ---- encryption -------------------------------------------------------------------------------------------------


def _encryption(row: VolumeRow) -> dict[str, Any]:
    """What is said of a volume's encryption."""
    if not row.encryption:
        return {"encryption_key_id": None}
    return {**msgspec.json.decode(row.encryption), "encryption_key_id": row.encryption_key_id}


@volumes.item("GET", "volume_extension:volume_encryption_metadata", suffix="/encryption")
async def encryption(room: BlockStorage, call: Call, row: VolumeRow) -> dict[str, Any]:
    return _encryption(row)


@volumes.item("GET", "volume_extension:volume_encryption_metadata", suffix="/encryption/{key}")
async def encryption_item(room: BlockStorage, call: Call, row: VolumeRow) -> Any:
    key, found = call.path["key"], _encryption(row)
    if key not in found:
        raise MetadataKeyNotFound(f"Volume {row.id} has no encryption metadata with key {key[:64]}.")
    return {key: found[key]}
