"""What is remembered of a router and its legs."""

from __future__ import annotations

import sqlalchemy as sa

from cumulet.core.db import Json, Name, Ref, Short, stored
from cumulet.services.network.standard import Standard


@stored(
    "network_routers",
    sa.Index("network_routers_project", "project_id"),
    sa.Index("network_routers_host", "host"),
    sa.Index("network_routers_unsettled", "unsettled"),
)
class RouterRow(Standard):
    """A router. Its legs are ports whose device it is; `gateway` repeats for the view what its gateway port says."""

    admin_up: bool
    status: Short
    gateway_port_id: Ref
    gateway_network_id: Ref
    gateway: Json
    """`external_gateway_info` as the view shows it."""
    snat: bool
    routes: Json
    zone_hints: Json
    host: Name
    """The node that runs it; empty: none yet."""
    generation: int
    unsettled: bool
