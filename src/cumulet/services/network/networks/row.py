"""What is remembered of a network, and of the segment that carries it."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Id, Instant, Json, LongText, Name, Number, Ref, Row, Short, stored
from cumulet.services.network.standard import Standard


@stored(
    "network_networks",
    sa.Index("network_networks_project", "project_id"),
    sa.Index("network_networks_unsettled", "unsettled"),
)
class NetworkRow(Standard):
    """A network. `segment` columns repeat its segment's, for the view and the order to the nodes."""

    admin_up: bool
    status: Short
    mtu: Number
    external: bool
    is_default: bool
    shared_with: LongText
    port_security: bool
    dns_domain: Name
    qos_policy_id: Ref
    zone_hints: Json
    subnets: Json
    """Ids of its subnets, as JSON text for the view."""
    scope_v4: Ref
    scope_v6: Ref
    network_type: Short
    physical_network: Short
    segmentation_id: Annotated[int, sa.Integer] | None
    segments: Json
    """All of them as the view shows them, if there are several; else null."""
    routed: bool
    """Its subnets belong to segments: hosts of one do not see those of another but by way of a router."""
    dhcp_mac: Short
    generation: int
    unsettled: bool


@stored("network_hosts", sa.Index("network_hosts_host", "host"))
class NetworkHostRow(Row):
    """A node that an administrator gave this network: it carries it even while nothing of it is there."""

    network_id: Annotated[str, sa.String(36), PRIMARY]
    host: Annotated[str, sa.String(255), PRIMARY]


@stored(
    "network_segments",
    sa.Index("network_segments_number", "network_type", "physical_network", "number", unique=True),
    sa.Index("network_segments_network", "network_id"),
)
class SegmentRow(Row):
    """A stretch of wire. `number` is the VNI or VLAN, 0 for a flat network, null where nothing is to be unique."""

    id: Id
    network_id: Ref
    name: Name
    description: Name
    network_type: Short
    physical_network: Short
    number: Annotated[int, sa.Integer] | None
    place: Number
    """The order in which nodes try them."""
    created_at: Instant
    updated_at: Instant
    revision: int
