"""What the inside of a server looks like from its host: diagnostics, topology; and the password its guest has told."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.web.call import Call
from cumulet.core.web.versions import version
from cumulet.services.compute.errors import InstanceInvalidState, InstanceNotReady
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.look import flavor_of
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import ServerRow

DIAGNOSTICS = version("2.48")


@servers.item("GET", "os_compute_api:os-server-diagnostics", suffix="/diagnostics")
async def diagnostics(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    if not row.host:
        raise InstanceNotReady(f"Instance {row.id} is not ready")
    if row.power not in ("running", "paused") and call.version < DIAGNOSTICS:
        raise InstanceInvalidState("get_diagnostics", row.id, "power state", row.power or "pending")
    found: dict[str, Any] = msgspec.json.decode(await room.fleet.ask(row.host, "diagnostics", machine=row.id))
    return found if call.version >= DIAGNOSTICS else flat(found)


def flat(found: dict[str, Any]) -> dict[str, Any]:
    """The older form: one number a name, as libvirt told them."""
    shown: dict[str, Any] = {"memory": (found["memory_details"]["maximum"] or 0) * 1024}
    for number, cpu in enumerate(found["cpu_details"]):
        shown[f"cpu{number}_time"] = cpu["time"]
    for number, nic in enumerate(found["nic_details"]):
        for name in (
            "rx_octets",
            "rx_errors",
            "rx_drop",
            "rx_packets",
            "tx_octets",
            "tx_errors",
            "tx_drop",
            "tx_packets",
        ):
            shown[f"tap{number}_{name.replace('octets', 'bytes').removesuffix('_bytes')}"] = nic[name]
    for number, disk in enumerate(found["disk_details"]):
        letter = chr(ord("a") + number)
        shown |= {
            f"vd{letter}_read": disk["read_bytes"],
            f"vd{letter}_read_req": disk["read_requests"],
            f"vd{letter}_write": disk["write_bytes"],
            f"vd{letter}_write_req": disk["write_requests"],
            f"vd{letter}_errors": disk["errors_count"],
        }
    return shown


@servers.item("GET", "compute:server:topology:index", suffix="/topology", since="2.78")
async def topology(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    """Servers here see one memory for all of their processors, which no host page pins."""
    flavor = flavor_of(row)
    node: dict[str, Any] = {
        "memory_mb": flavor.ram,
        "vcpu_set": list(range(flavor.vcpus)),
        "siblings": [],
    }
    host = call.may("compute:server:topology:host:index", servers.target(row))
    if host:
        node |= {"host_node": 0, "cpu_pinning": {}}
    return {"nodes": [node], "pagesize_kb": None}


@servers.item("GET", "os_compute_api:os-server-password:show", suffix="/os-server-password")
async def show_password(room: Compute, call: Call, row: ServerRow) -> dict[str, str]:
    """What the guest has left at its metadata service, encrypted with its owner's key; empty if it has left none.

    It lives where the guest does, and only there: a server that moves takes it along, one that is evacuated cannot.
    """
    left = await room.fleet.ask(row.host, "password", machine=row.id) if row.host else b""
    return {"password": left.decode("utf-8", "replace")}


@servers.item("DELETE", "os_compute_api:os-server-password:clear", status=204, suffix="/os-server-password")
async def clear_password(room: Compute, call: Call, row: ServerRow) -> None:
    """Forget what the guest has left, so that it may leave another one. Twice does no harm."""
    if row.host:
        await room.fleet.ask(row.host, "clear_password", machine=row.id)
