"""What a client sees of a server and sends about it, at each version."""

from __future__ import annotations

from typing import Any

from cumulet.core.web.body import NEVER, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Listing
from cumulet.core.web.resource import Resource
from cumulet.core.web.view import or_null, raw
from cumulet.core.web.wire import StrictInt
from cumulet.lib.clock import iso_seconds
from cumulet.services.compute.errors import InstanceNotFound
from cumulet.services.compute.links import links
from cumulet.services.compute.servers import show
from cumulet.services.compute.servers.row import ServerRow, Wanted
from cumulet.services.compute.servers.status import SHOWS_PROGRESS
from cumulet.services.compute.servers.wishes import BESIDE, CREATE, UPDATE

ATTRIBUTES = "os_compute_api:os-extended-server-attributes"
ANY = StrictInt()
"""Shown only, so its wire type is never asked."""


def seen(name: str, source: Any = None, since: str = "", until: str = "", rule: str = "", brief: bool = False) -> Field:
    """A field that is only shown."""
    return Field(name, ANY, create=NEVER, update=NEVER, source=source, since=since, until=until, rule=rule, brief=brief)


def _sent(fields: tuple[Field, ...]) -> list[Field]:
    """Fields that are only sent: what is shown under the same name has its own line below."""
    return [
        Field(f.name, f.type, create=f.create, update=f.update, source="", since=f.since, until=f.until) for f in fields
    ]


servers = Resource(
    path="/servers",
    one="server",
    many="servers",
    row=ServerRow,
    key="server_id",
    hidden=(ServerRow.c.deleted_at == 0) & (ServerRow.c.wanted != Wanted.INTENT.value),
    missing=InstanceNotFound,
    listing=Listing(),
    beside=_sent(BESIDE),
    fields=[
        *_sent(CREATE),
        *_sent(UPDATE),
        seen("id", brief=True),
        seen("name", brief=True),
        seen("links", lambda row, call: links(call, "servers", row.id), brief=True),
        seen("status"),
        seen("tenant_id", "project_id"),
        seen("user_id"),
        seen("metadata", raw("metadata")),
        seen("hostId", show.host_id),
        seen("image", show.image),
        seen("flavor", show.flavor),
        seen("created", lambda row, call: iso_seconds(row.created_at)),
        seen("updated", lambda row, call: iso_seconds(row.updated_at)),
        seen("addresses", raw("addresses")),
        seen("accessIPv4", "access_ip_v4"),
        seen("accessIPv6", "access_ip_v6"),
        seen("OS-DCF:diskConfig", "disk_config"),
        seen("OS-EXT-AZ:availability_zone", "zone"),
        seen("config_drive", lambda row, call: "True" if row.config_drive else ""),
        seen("key_name"),
        seen("OS-SRV-USG:launched_at", show.instant("launched_at")),
        seen("OS-SRV-USG:terminated_at", show.instant("terminated_at")),
        seen("security_groups", raw("security_groups")),
        seen("OS-EXT-SRV-ATTR:host", show.host_or_null, rule=ATTRIBUTES),
        seen("OS-EXT-SRV-ATTR:instance_name", lambda row, call: f"instance-{row.id[:8]}", rule=ATTRIBUTES),
        seen("OS-EXT-SRV-ATTR:hypervisor_hostname", show.host_or_null, rule=ATTRIBUTES),
        seen("OS-EXT-SRV-ATTR:reservation_id", "reservation_id", since="2.3", rule=ATTRIBUTES),
        seen("OS-EXT-SRV-ATTR:launch_index", "launch_index", since="2.3", rule=ATTRIBUTES),
        seen("OS-EXT-SRV-ATTR:hostname", "hostname", since="2.3", until="2.89", rule=ATTRIBUTES),
        seen("OS-EXT-SRV-ATTR:hostname", "hostname", since="2.90"),
        seen("OS-EXT-SRV-ATTR:kernel_id", show.kernel, since="2.3", rule=ATTRIBUTES),
        seen("OS-EXT-SRV-ATTR:ramdisk_id", show.ramdisk, since="2.3", rule=ATTRIBUTES),
        seen("OS-EXT-SRV-ATTR:root_device_name", "root_device", since="2.3", rule=ATTRIBUTES),
        seen("OS-EXT-SRV-ATTR:user_data", "user_data", since="2.3", rule=ATTRIBUTES),
        seen("OS-EXT-STS:task_state", or_null("task_state")),
        seen("OS-EXT-STS:vm_state", "vm_state"),
        seen("OS-EXT-STS:power_state", "power_state"),
        seen("os-extended-volumes:volumes_attached", show.volumes),
        seen("locked", since="2.9"),
        seen("host_status", show.seen_status, since="2.16", rule=show.HOST_STATUS),
        seen("description", since="2.19"),
        seen("tags", raw("tags"), since="2.26"),
        seen("trusted_image_certificates", raw("trusted_certs"), since="2.63"),
        seen("server_groups", show.server_groups, since="2.71"),
        seen("locked_reason", since="2.73"),
        seen("pinned_availability_zone", or_null("pinned_zone"), since="2.96"),
        seen("scheduler_hints", raw("hints"), since="2.100"),
    ],
)

_ALL = frozenset(field.name for field in servers.view.fields)
_LISTED = _ALL - show.NOT_IN_LISTS


def shown(call: Call, row: ServerRow) -> dict[str, Any]:
    """A server's page."""
    return show.full(call, row, servers.view.render(call, only=_ALL)(row, call))


def answered(call: Call, row: ServerRow, *, rebuilt: bool = False) -> dict[str, Any]:
    """A server as the answer to its change: little of it before 2.75."""
    if call.version >= show.FULL_ANSWERS:
        found = shown(call, row)
        if rebuilt:
            found.pop("OS-EXT-SRV-ATTR:user_data", None)
        return found
    found = servers.view.render(call, only=show.BASIC)(row, call)
    if row.status in SHOWS_PROGRESS:
        found["progress"] = row.progress
    found["addresses"] = show.plain_addresses(row)
    return found


def listed(call: Call, rows: list[ServerRow]) -> list[dict[str, Any]]:
    """Servers as lists show them in full."""
    render = servers.view.render(call, only=_LISTED)
    return [show.full(call, row, render(row, call)) for row in rows]
