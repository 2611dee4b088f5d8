"""How a server looks: the sources of its fields, and the three shapes it is shown in."""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from cumulet.core.web.call import Call
from cumulet.core.web.versions import version
from cumulet.lib.clock import iso_seconds
from cumulet.services.compute.links import bookmark
from cumulet.services.compute.servers.row import ServerRow
from cumulet.services.compute.servers.status import SHOWS_FAULT, SHOWS_PROGRESS

_object = msgspec.json.Decoder(dict[str, Any])
_list = msgspec.json.Decoder(list[dict[str, Any]])
FLAVOR_INSIDE = version("2.47")
IMAGE_PROPERTIES = version("2.98")
DELETE_FLAG = version("2.3")
EXTRA_SPECS = "os_compute_api:servers:show:flavor-extra-specs"
HOST_STATUS = "os_compute_api:servers:show:host_status"


def flavor(row: ServerRow, call: Call) -> Any:
    if call.version < FLAVOR_INSIDE:
        return {"id": row.flavor_id, "links": bookmark(call, "flavors", row.flavor_id)}
    size = _object.decode(row.flavor)
    shown = {
        "vcpus": size["vcpus"],
        "ram": size["ram"],
        "disk": size["disk"],
        "ephemeral": size["ephemeral"],
        "swap": size["swap"],
        "original_name": size["name"],
    }
    if call.may(EXTRA_SPECS):
        shown["extra_specs"] = size["extra_specs"]
    return shown


def image(row: ServerRow, call: Call) -> Any:
    if not row.image_id:
        return ""
    shown: dict[str, Any] = {"id": row.image_id, "links": bookmark(call, "images", row.image_id)}
    if call.version >= IMAGE_PROPERTIES:
        shown["properties"] = msgspec.Raw(row.image.encode())
    return shown


def host_id(row: ServerRow, call: Call) -> str:
    """The same for two servers of one project on one host, and says nothing else."""
    if not row.host:
        return ""
    return hashlib.sha224(f"{row.project_id}{row.host}".encode()).hexdigest()


def volumes(row: ServerRow, call: Call) -> Any:
    if call.version >= DELETE_FLAG:
        return msgspec.Raw(row.volumes.encode())
    return [{"id": volume["id"]} for volume in _list.decode(row.volumes)]


def host_or_null(row: ServerRow, call: Call) -> str | None:
    return row.host or None


def kernel(row: ServerRow, call: Call) -> str:
    return str(_object.decode(row.image).get("kernel_id", ""))


def ramdisk(row: ServerRow, call: Call) -> str:
    return str(_object.decode(row.image).get("ramdisk_id", ""))


def instant(column: str) -> Any:
    """`2026-11-23T14:00:00.000000`, or null."""

    def show(row: ServerRow, call: Call) -> str | None:
        moment = getattr(row, column)
        return iso_seconds(moment)[:-1] + ".000000" if moment else None

    return show


def plain_addresses(row: ServerRow) -> dict[str, list[dict[str, Any]]]:
    """Addresses without what an extension added to them."""
    return {
        name: [{"version": address["version"], "addr": address["addr"]} for address in group]
        for name, group in _object.decode(row.addresses).items()
    }


def server_groups(row: ServerRow, call: Call) -> list[str]:
    return [row.group_id] if row.group_id else []


def seen_status(row: ServerRow, call: Call) -> str:
    """The status of its host: all of it to some, only that it is unknown to others."""
    return row.host_status


def full(call: Call, row: ServerRow, shown: dict[str, Any]) -> dict[str, Any]:
    """Add what is there only sometimes: progress and fault."""
    if row.status in SHOWS_PROGRESS:
        shown["progress"] = row.progress
    if row.security_groups == "[]":
        shown.pop("security_groups", None)
    if row.status in SHOWS_FAULT and row.fault:
        shown["fault"] = fault(call, row)
    return shown


def fault(call: Call, row: ServerRow) -> dict[str, Any]:
    kept = _object.decode(row.fault)
    found = {"code": kept["code"], "created": iso_seconds(kept["created"]), "message": kept["message"]}
    if call.may("context_is_admin") or kept["code"] != 500:
        found["details"] = kept.get("details", "")
    return found


BASIC = frozenset({
    "id", "name", "status", "tenant_id", "user_id", "metadata", "hostId", "image", "flavor", "created", "updated",
    "addresses", "accessIPv4", "accessIPv6", "links", "OS-DCF:diskConfig", "locked", "description", "tags",
    "trusted_image_certificates", "locked_reason", "server_groups",
})  # fmt: skip
"""What an update or a rebuild showed before 2.75."""
FULL_ANSWERS = version("2.75")
NOT_IN_LISTS = frozenset({"server_groups"})
