"""Making servers: admit, write, wake."""

from __future__ import annotations

import re
import secrets
import string
from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.errors import CloudError, OverQuota
from cumulet.core.web.call import Call
from cumulet.lib.ids import new_uuid
from cumulet.services.compute.errors import InvalidServer
from cumulet.services.compute.history import record
from cumulet.services.compute.room import Compute
from cumulet.services.compute.server_groups import join
from cumulet.services.compute.servers.admission import Admitted, admit
from cumulet.services.compute.servers.block_devices import Plan
from cumulet.services.compute.servers.counted import counted
from cumulet.services.compute.servers.row import DiskRow, NicRow, ServerRow, TagRow, Wanted
from cumulet.services.compute.servers.status import refresh
from cumulet.services.compute.servers.store import copy_of, save
from cumulet.services.compute.servers.tell import json_of, volumes

_LETTERS = string.ascii_letters + string.digits


async def create_servers(room: Compute, call: Call) -> list[ServerRow]:
    """New servers as wished; the rows as they were stored."""
    admitted = await admit(room, call)
    reserves = any(disk.source == "volume" for disk in admitted.disks)
    shared = {
        "admin_password": call.wish.get("adminPass") or "".join(secrets.choice(_LETTERS) for _ in range(12)),
        "reservation_id": "r-" + "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(8)),
        "wanted": Wanted.INTENT if reserves else Wanted.RUNNING,
    }
    chosen = [new_uuid() for _ in range(admitted.most)]
    disks: dict[str, list[DiskRow]] = {}

    async def write(tx: Transaction) -> list[ServerRow]:
        count = await affordable(tx, room, call.caller.project_id, admitted)
        rows = []
        for place in range(count):
            row = server_row(room, call, admitted, chosen[place], place, count, shared)
            disks[row.id] = [disk_row(row, disk) for disk in admitted.disks]
            row.volumes = json_of(volumes(disks[row.id]))
            await tx.insert(row)
            await tx.insert_all(disks[row.id])
            await tx.insert_all(nic_rows(row, admitted))
            await tx.insert_all([TagRow(row.id, tag) for tag in msgspec.json.decode(row.tags)])
            await record(tx, call, row.id, "create", generation=row.generation, now=row.created_at)
            if not reserves:
                tx.wake("server", row.id)
            rows.append(row)
        if admitted.group_id:
            await join(tx, room, admitted.group_id, [row.id for row in rows])
        return rows

    rows = await room.database.write(write)
    if reserves:
        rows = [await open_intent(room, row, disks[row.id]) for row in rows]
    return rows


async def affordable(tx: Transaction, room: Compute, project_id: str, admitted: Admitted) -> int:
    """Count in as many servers as were asked for and fit. Raises OverQuota when not even the least number does."""
    each = {"instances": 1, **counted(admitted.flavor, root_is_volume=not admitted.image_ref)}
    count = admitted.most
    if admitted.least < admitted.most:
        limits, used = await room.quota.limits(tx, project_id), await room.quota.usage(tx, project_id)
        fitting = [(limits[name] - used[name]) // n for name, n in each.items() if n and limits[name] >= 0]
        count = max(admitted.least, min([admitted.most, *fitting]))
    try:
        await room.quota.take(tx, project_id, **{name: n * count for name, n in each.items()})
    except OverQuota as over:
        limits, used = await room.quota.limits(tx, project_id), await room.quota.usage(tx, project_id)
        raise OverQuota(exceeded(over.resources, each, count, limits, used), over.resources) from over
    return count


def exceeded(
    over: tuple[str, ...], each: dict[str, int], count: int, limits: dict[str, int], used: dict[str, int]
) -> str:
    """The sentence that clients know."""
    names = ", ".join(sorted(over))
    asked = ", ".join(str(each[name] * count) for name in sorted(over))
    held = ", ".join(str(used[name]) for name in sorted(over))
    most = ", ".join(str(limits[name]) for name in sorted(over))
    return f"Quota exceeded for {names}: Requested {asked}, but already used {held} of {most} {names}"


async def open_intent(room: Compute, row: ServerRow, disks: list[DiskRow]) -> ServerRow:
    """Reserve the given volumes; then the server is there for all to see. A refusal leaves nothing behind."""
    try:
        for disk in disks:
            if disk.source == "volume":
                await room.volumes.reserve(disk.volume_id, row.id, disk.id)
    except CloudError as error:
        await _become(room, row, Wanted.GONE)
        if error.status >= 500:
            raise
        raise InvalidServer(f"Block Device Mapping is Invalid: {error.message}") from error

    return await _become(room, row, Wanted.RUNNING)


async def _become(room: Compute, row: ServerRow, wanted: Wanted) -> ServerRow:
    async def write(tx: Transaction) -> ServerRow:
        before = await tx.get(ServerRow, id=row.id)
        if before is None or before.wanted != Wanted.INTENT:
            return row
        now = copy_of(before)
        now.wanted = wanted
        await tx.update(DiskRow, {"server_id": row.id, "source": "volume"}, reserved=True)
        await save(tx, room, before, now)
        tx.wake("server", row.id)
        return now

    return await room.database.write(write)


def hostname_of(name: str, server_id: str) -> str:
    """A host name from a server's name: a single label, whatever dots the name has."""
    found = re.sub(r"[^a-z0-9-]", "", re.sub(r"[ _.]", "-", name.lower())).strip("-")[:63].strip("-")
    return found or f"server-{server_id}"


def server_row(
    room: Compute, call: Call, admitted: Admitted, server_id: str, place: int, count: int, shared: dict[str, Any]
) -> ServerRow:
    """The row of a new server."""
    wish, caller, now = call.wish, call.caller, room.clock.now()
    suffix = f"-{place + 1}" if count > 1 else ""
    name = wish["name"][: 255 - len(suffix)] + suffix
    hostname = wish["hostname"][: 63 - len(suffix)] + suffix if wish.get("hostname") else hostname_of(name, server_id)
    flavor = admitted.flavor
    row = ServerRow(
        id=server_id,
        project_id=caller.project_id,
        user_id=caller.user_id,
        created_at=now,
        updated_at=now,
        deleted_at=0,
        reservation_id=shared["reservation_id"],
        launch_index=place,
        wanted=shared["wanted"],
        generation=1,
        wished_at=now,
        revision=1,
        name=name,
        description=wish.get("description"),
        hostname=hostname,
        flavor_id=flavor.id,
        flavor=json_of(flavor),
        image_id=admitted.image_id,
        image=json_of(admitted.image),
        image_ref=admitted.image_ref,
        key_name=admitted.key_name,
        key=admitted.key,
        user_data=wish.get("user_data"),
        metadata=json_of(admitted.metadata),
        tags=json_of(sorted(set(wish.get("tags") or ()))),
        config_drive=bool(wish.get("config_drive")),
        disk_config=wish.get("OS-DCF:diskConfig") or "MANUAL",
        admin_password=shared["admin_password"],
        access_ip_v4=wish.get("accessIPv4") or "",
        access_ip_v6=wish.get("accessIPv6") or "",
        pinned_zone=admitted.zone,
        host_wanted=admitted.host,
        hints=json_of(admitted.hints),
        group_id=admitted.group_id,
        trusted_certs=json_of(wish.get("trusted_image_certificates")),
        files=json_of(list(admitted.files)),
        groups=json_of(list(admitted.groups)),
        locked=False,
        locked_by="",
        locked_reason=None,
        rescue="",
        root_device="/dev/vda",
        hard_reboots=0,
        soft_reboots=0,
        rebuilds=0,
        interrupts=0,
        host="",
        zone="",
        host_status="",
        power="",
        ran=0,
        hard_reboots_met=0,
        soft_reboots_met=0,
        rebuilds_met=0,
        interrupts_met=0,
        rescued=False,
        met=0,
        faulted=0,
        fault="",
        offloaded=False,
        shelved_image_id="",
        job="",
        move="",
        launched_at=0,
        terminated_at=0,
        addresses="{}",
        volumes="[]",
        security_groups=json_of([{"name": name} for name in admitted.groups or ("default",)]),
        vm_state="",
        task_state="",
        power_state=0,
        status="",
        progress=0,
        unsettled=True,
    )
    refresh(row)
    return row


def disk_row(server: ServerRow, plan: Plan) -> DiskRow:
    own = new_uuid()
    made = plan.local or plan.source != "volume"
    return DiskRow(
        id=own,
        server_id=server.id,
        created_at=server.created_at,
        wanted="attached",
        source=plan.source,
        source_id=plan.source_id,
        local=plan.local,
        volume_id=own if plan.local else new_uuid() if made else plan.source_id,
        volume_type=plan.volume_type,
        size=plan.size,
        device=plan.device,
        boot_index=plan.boot_index,
        format=plan.format,
        bus=plan.bus,
        device_type=plan.device_type,
        delete_on_termination=plan.delete_on_termination,
        tag=plan.tag,
        multiattach=plan.multiattach,
        node=plan.node,
        new_image="",
        reimage=0,
        reserved=False,
        connected=False,
        connection="",
        target="",
        moves=0,
    )


def nic_rows(server: ServerRow, admitted: Admitted) -> list[NicRow]:
    return [
        NicRow(
            id=new_uuid(),
            server_id=server.id,
            created_at=server.created_at,
            wanted="attached",
            place=place,
            network_id=nic.network_id,
            fixed_ip=nic.fixed_ip,
            tag=nic.tag,
            port_id=None,
            asked_port=nic.port_id,
            asks=nic.asks,
            connected=False,
        )
        for place, nic in enumerate(admitted.nics)
    ]
