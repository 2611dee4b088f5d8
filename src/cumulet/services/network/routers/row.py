"""What is remembered of a router and its legs."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Id, Json, Name, Number, Ref, Row, Short, stored
from cumulet.services.network.standard import Standard


@stored(
    "network_routers",
    sa.Index("network_routers_project", "project_id"),
    sa.Index("network_routers_host", "host"),
    sa.Index("network_routers_unsettled", "unsettled"),
    sa.Index("network_routers_flavor", "flavor_id"),
    sa.Index("network_routers_number", "project_id", "ha_number", unique=True),
)
class RouterRow(Standard):
    """A router. Its legs are ports whose device it is; `gateway` repeats for the view what its gateway port says."""

    admin_up: bool
    status: Short
    gateway_port_id: Ref
    gateway_network_id: Ref
    gateway: Json
    """`external_gateway_info` as the view shows it."""
    gateways: Json
    """`external_gateways` as the view shows them."""
    snat: bool
    ecmp: bool
    """Flows leave by all gateways in turn, not by the first one."""
    bfd: bool
    """A gateway whose next hop is silent is passed over."""
    routes: Json
    zone_hints: Json
    helpers: Json
    """Its conntrack helpers, as the view shows them."""
    ndp_proxy: bool
    """Guests behind it may be reached from outside at their IPv6 addresses: those that have an `NdpProxyRow`."""
    host: Name
    """The node that runs it; empty: none yet."""
    ha: bool
    """Several nodes hold it; `host` is the one where it runs."""
    ha_number: Annotated[int, sa.Integer] | None
    """Its number among those of its project; null for others."""
    flavor_id: Ref
    by_hand: bool
    """An administrator chose its node: it is there even without legs."""
    rests_at: int
    """Its generation when an administrator took it from its node: until it changes, no node runs it. 0: never."""
    generation: int
    unsettled: bool


@stored("network_router_hosts", sa.Index("network_router_hosts_host", "host"))
class RouterHostRow(Row):
    """One of the nodes that hold a router together, with its leg in the network beside."""

    router_id: Annotated[str, sa.String(36), PRIMARY]
    host: Annotated[str, sa.String(255), PRIMARY]
    port_id: Ref
    place: Number
    """The lower, the more it is preferred."""


@stored("network_standby_networks")
class StandbyNetworkRow(Row):
    """The network by which the nodes of a project's routers see each other."""

    project_id: Annotated[str, sa.String(64), PRIMARY]
    network_id: Ref


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


@stored(
    "network_ndp_proxies",
    sa.Index("network_ndp_proxies_project", "project_id"),
    sa.Index("network_ndp_proxies_router", "router_id"),
    sa.Index("network_ndp_proxies_port", "port_id"),
)
class NdpProxyRow(Standard):
    """A guest's IPv6 address for which a router answers outside."""

    router_id: Ref
    port_id: Ref
    ip: Short
