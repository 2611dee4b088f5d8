"""What is remembered of a router and its legs."""

from __future__ import annotations

import sqlalchemy as sa

from cumulet.core.db import Id, Json, Name, Number, Ref, Row, Short, stored
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
    helpers: Json
    """Its conntrack helpers, as the view shows them."""
    host: Name
    """The node that runs it; empty: none yet."""
    by_hand: bool
    """An administrator chose its node: it is there even without legs."""
    generation: int
    unsettled: bool


@stored(
    "network_conntrack_helpers",
    sa.Index("network_conntrack_helpers_once", "router_id", "protocol", "port", "helper", unique=True),
)
class ConntrackHelperRow(Row):
    """A protocol that a router understands: what answers on this port may open further connections."""

    id: Id
    project_id: Ref
    router_id: Ref
    protocol: Short
    port: Number
    helper: Short
