"""Which hosts have written their monthly audit of usage. None has to here: usage is computed when it is asked for."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cumulet.core.errors import BadRequest
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.lib.clock import SECOND, parse_iso
from cumulet.services.compute.room import Compute

RULE = "os_compute_api:os-instance-usage-audit-log:"


def month_before(moment: datetime) -> tuple[datetime, datetime]:
    """The last whole month that ended before a moment."""
    ends = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (ends - timedelta(days=1)).replace(day=1), ends


async def audits(room: Compute, before: datetime) -> dict[str, Any]:
    hosts = sorted(node.name for node in await room.fleet.nodes())
    began, ended = month_before(before)
    return {
        "hosts_not_run": hosts,
        "log": {},
        "num_hosts": len(hosts),
        "num_hosts_done": 0,
        "num_hosts_not_run": len(hosts),
        "num_hosts_running": 0,
        "overall_status": f"0 of {len(hosts)} hosts done. 0 errors.",
        "period_beginning": f"{began:%Y-%m-%d %H:%M:%S}",
        "period_ending": f"{ended:%Y-%m-%d %H:%M:%S}",
        "total_errors": 0,
        "total_instances": 0,
    }


async def index(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "list")
    now = datetime.fromtimestamp(room.clock.now() // SECOND, UTC)
    return {"instance_usage_audit_logs": await audits(room, now)}


async def show(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "show")
    given = call.path["before"]
    try:
        before = datetime.fromtimestamp(parse_iso(given) // SECOND, UTC)
        return {"instance_usage_audit_log": await audits(room, before)}
    except (ValueError, OverflowError, OSError) as error:
        raise BadRequest(f"Invalid timestamp for date {given[:60]}") from error


ROUTES = (
    Endpoint("GET", "/os-instance_usage_audit_log", index, name="usage_audits"),
    Endpoint("GET", "/os-instance_usage_audit_log/{before}", show, name="usage_audits_before"),
)
