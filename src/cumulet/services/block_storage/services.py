"""The volume services of the nodes, that of the control plane, and the older list of hosts."""

from __future__ import annotations

from typing import Any

from cumulet.core.errors import BadRequest
from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.versions import version
from cumulet.core.web.wire import Enum, Text
from cumulet.lib.clock import iso_micros
from cumulet.services.block_storage.backends import FROZEN, Pool, VolumeService, pools, say, services
from cumulet.services.block_storage.errors import InvalidInput, ServiceNotFound
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots.row import SnapshotRow
from cumulet.services.block_storage.volumes.row import VolumeRow

RULE = "volume_extension:services:"
HOSTS = "volume_extension:hosts"
VOLUME, SCHEDULER, BACKUP = "cinder-volume", "cinder-scheduler", "cinder-backup"
CONTROL = "control"
MOST = 10_000
"""Rows that the sums of one host are made of."""


def _shown(call: Call, one: VolumeService) -> dict[str, Any]:
    found: dict[str, Any] = {
        "binary": VOLUME,
        "host": one.host,
        "zone": one.zone,
        "status": "disabled" if one.disabled else "enabled",
        "state": "up" if one.up else "down",
        "updated_at": iso_micros(one.node.last_seen),
        "disabled_reason": (one.said.reason or None) if one.said else None,
        "frozen": one.said is not None and one.said.frozen,
        "replication_status": "disabled",
        "active_backend_id": None,
    }
    if call.version >= version("3.7"):
        found["cluster"] = one.cluster or None
    if call.version >= version("3.49"):
        found["backend_state"] = "up" if one.up else "down"
    return found


def _central(room: BlockStorage, call: Call, binary: str) -> dict[str, Any]:
    """What the control plane's one process does in the place of a scheduler, and of a service for backups."""
    found: dict[str, Any] = {
        "binary": binary,
        "host": CONTROL,
        "zone": room.zone,
        "status": "enabled",
        "state": "up",
        "updated_at": iso_micros(room.clock.now()),
        "disabled_reason": None,
    }
    if call.version >= version("3.7"):
        found["cluster"] = None
    return found


async def index(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow(RULE + "index")
    host, binary = call.request.one("host"), call.request.one("binary")
    central = [_central(room, call, one) for one in (SCHEDULER, BACKUP)]
    found = [*central, *[_shown(call, one) for one in await services(room)]]
    # A host is named with its backend or without it.
    return {
        "services": [
            one
            for one in found
            if host in (None, one["host"], one["host"].partition("@")[0]) and binary in (None, one["binary"])
        ]
    }


async def _meant(room: BlockStorage, host: str) -> list[str]:
    """The services of a name: one, or all of a node. Raises ServiceNotFound."""
    found = [one.host for one in await services(room) if one.is_called(host)]
    if not found:
        raise ServiceNotFound(f"Service {VOLUME} could not be found on host {host[:64]}.")
    return found


async def _asked(room: BlockStorage, call: Call) -> tuple[list[str], str]:
    call.allow(RULE + "update")
    host, binary = call.wish.get("host") or "", call.wish.get("binary") or call.wish.get("service") or ""
    if not host or not binary:
        raise BadRequest("Missing required element 'host', or 'binary' and 'service'.")
    if binary != VOLUME:
        raise ServiceNotFound(f"Service {binary[:64]} could not be found on host {host[:64]}.")
    return await _meant(room, host), host


async def enable(room: BlockStorage, call: Call) -> dict[str, Any]:
    meant, host = await _asked(room, call)
    await say(room, meant, disabled=False)
    base = {"host": host, "service": VOLUME, "binary": VOLUME}
    return {**base, "disabled": False, "status": "enabled", "disabled_reason": None}


async def disable(room: BlockStorage, call: Call) -> dict[str, Any]:
    meant, host = await _asked(room, call)
    await say(room, meant, disabled=True)
    return {"host": host, "service": VOLUME, "binary": VOLUME, "disabled": True, "status": "disabled"}


async def disable_log_reason(room: BlockStorage, call: Call) -> dict[str, Any]:
    meant, host = await _asked(room, call)
    reason = call.wish["disabled_reason"]
    await say(room, meant, disabled=True, reason=reason)
    base = {"host": host, "service": VOLUME, "binary": VOLUME}
    return {**base, "disabled": True, "status": "disabled", "disabled_reason": reason}


async def _freezable(room: BlockStorage, call: Call, rule: str) -> list[VolumeService | Pool]:
    """The services of a host, or the cluster, that is named."""
    call.allow(rule)
    host, cluster = call.wish.get("host") or "", call.wish.get("cluster") or ""
    found: list[VolumeService | Pool] = [one for one in await services(room) if host and one.is_called(host)]
    found += [one for one in await pools(room) if cluster and one.cluster and one.host == cluster]
    if not found:
        raise BadRequest(f"Service cinder-volume could not be found on host {(host or cluster)[:64]!r}.")
    return found


async def freeze(room: BlockStorage, call: Call) -> None:
    meant = await _freezable(room, call, "volume:freeze_host")
    await say(room, [one.host for one in meant], disabled=True, reason=FROZEN)


async def thaw(room: BlockStorage, call: Call) -> None:
    meant = await _freezable(room, call, "volume:thaw_host")
    await say(room, [one.host for one in meant if one.said is not None and one.said.frozen], disabled=False)


async def failover(room: BlockStorage, call: Call) -> None:
    [first, *_] = await _freezable(room, call, "volume:failover_host")
    raise InvalidInput(f"host {first.host} copies its volumes nowhere: there is nothing to fail over to")


# ---- hosts ------------------------------------------------------------------------------------------------------


async def list_hosts(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow(HOSTS)
    zone, service = call.request.one("zone"), call.request.one("service")
    rows = [
        {
            "host_name": one.host,
            "service": VOLUME,
            "zone": one.zone,
            "service-status": "available" if one.up else "unavailable",
            "service-state": "disabled" if one.disabled else "enabled",
            "last-update": iso_micros(one.node.last_seen),
        }
        for one in await services(room)
    ]
    rows = [row for row in rows if zone in (None, row["zone"]) and service in (None, row["service"])]
    return {"hosts": rows}


async def update_host(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow(HOSTS)
    host, status = call.path["host"], call.wish["status"]
    await say(room, await _meant(room, host), disabled=status == "disable")
    return {"host": host, "status": "disabled" if status == "disable" else "enabled"}


async def show_host(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow(HOSTS)
    host = call.path["host"]
    meant = [one for one in await services(room) if one.is_called(host)]
    if not meant:
        raise ServiceNotFound(f"Host {host[:64]} could not be found.")
    node, backends = meant[0].node.name, [one.facts.name for one in meant]
    async with room.database.read() as tx:
        volumes = await tx.find(VolumeRow, node=node, backend=backends, wanted=True, limit=MOST)
        ids = [row.id for row in volumes]
        snapshots = await tx.find(SnapshotRow, volume_id=ids, wanted=True, limit=MOST) if ids else []

    def counted(project: str, mine: list[VolumeRow], taken: list[SnapshotRow]) -> dict[str, Any]:
        sums = {
            "volume_count": len(mine),
            "total_volume_gb": sum(row.size for row in mine),
            "snapshot_count": len(taken),
            "total_snapshot_gb": sum(row.size for row in taken),
        }
        texts = {name: str(number) for name, number in sums.items()}
        return {"resource": {"host": host, "project": project, **texts}}

    found = [counted("(total)", volumes, snapshots)]
    for project in sorted({row.project_id for row in volumes}):
        mine = [row for row in volumes if row.project_id == project]
        found.append(counted(project, mine, [row for row in snapshots if row.project_id == project]))
    return {"host": found}


_PLACED = (Field("host", Text().or_null(), create=OPTIONAL), Field("cluster", Text().or_null(), create=OPTIONAL))
_NAMED = (*_PLACED, Field("binary", Text(), create=OPTIONAL), Field("service", Text(), create=OPTIONAL))
_Placed = Body("", _PLACED)
_Plain = Body("", _NAMED)
_Reason = Body("", (*_NAMED, Field("disabled_reason", Text(255, 1), create=REQUIRED)))
_Failover = Body("", (*_PLACED, Field("backend_id", Text().or_null(), create=OPTIONAL)))
_Host = Body("", (Field("status", Enum("enable", "disable", ignore_case=True), create=REQUIRED),))
ROUTES = (
    Endpoint("GET", "/os-services", index, name="services"),
    Endpoint("PUT", "/os-services/enable", enable, body=_Plain, name="service_enable"),
    Endpoint("PUT", "/os-services/disable", disable, body=_Plain, name="service_disable"),
    Endpoint("PUT", "/os-services/disable-log-reason", disable_log_reason, body=_Reason, name="service_reason"),
    Endpoint("PUT", "/os-services/freeze", freeze, body=_Placed, name="service_freeze"),
    Endpoint("PUT", "/os-services/thaw", thaw, body=_Placed, name="service_thaw"),
    Endpoint("PUT", "/os-services/failover_host", failover, 202, body=_Failover, name="service_failover"),
    Endpoint("GET", "/os-hosts", list_hosts, name="hosts"),
    Endpoint("GET", "/os-hosts/{host}", show_host, name="host"),
    Endpoint("PUT", "/os-hosts/{host}", update_host, body=_Host, name="host_update"),
)
