"""What is remembered of a port: the wish, what its view shows of neighbours, and what its node said."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Json, Name, Ref, Row, Short, stored
from cumulet.services.network.standard import Standard

DHCP = "network:dhcp"
INTERFACE = "network:router_interface"
GATEWAY = "network:router_gateway"
FLOATING = "network:floatingip"
STANDBY = "network:router_ha_interface"
LOCAL = "network:local_ip"
SUB_PORT = "trunk:subport"
OF_ROUTERS = (INTERFACE, GATEWAY)
OF_THE_SERVICE = (INTERFACE, GATEWAY, FLOATING, STANDBY, LOCAL)
"""Ports that go only with the noun they belong to."""


@stored(
    "network_ports",
    sa.Index("network_ports_mac", "network_id", "mac", unique=True),
    sa.Index("network_ports_key", "plug_key", unique=True),
    sa.Index("network_ports_project", "project_id"),
    sa.Index("network_ports_network", "network_project_id"),
    sa.Index("network_ports_host", "network_id", "host"),
    sa.Index("network_ports_device", "device_id"),
    sa.Index("network_ports_unsettled", "unsettled"),
)
class PortRow(Standard):
    """A port."""

    network_id: Ref
    network_project_id: Ref
    mac: Short
    admin_up: bool
    status: Short
    device_id: Name
    device_owner: Name
    host: Name
    vnic_type: Short
    profile: Json
    port_security: bool
    fixed_ips: Json
    groups: Json
    pairs: Json
    dhcp_options: Json
    dns_name: Name
    dns_assignment: Json
    qos_policy_id: Ref
    qos_network_policy_id: Ref
    resource_request: Json
    """What it asks of its node, as the view shows it; null for nothing."""
    allocation: Json
    """Which provider of its node gives it that: group of the request → provider."""
    plug_key: Annotated[str, sa.String(255)] | None
    """The key under which compute had it made or adopted; null for others."""
    preserve: bool
    """It was given by a user, and outlives the server."""
    nic_tag: Name
    trunk_id: Ref
    """The trunk that it is the parent or a sub-port of."""
    trunk: Json
    """What the parent of a trunk shows of it; null for others."""
    ip_allocation: Short
    """`deferred`: it gets its addresses when it gets a node."""
    counted: bool
    """It is counted in its project's quota."""
    up: bool
    """Its node says that it is wired."""
    generation: int
    unsettled: bool


@stored("network_port_bindings", sa.Index("network_port_bindings_host", "host"))
class BindingRow(Row):
    """A node on which a port is made besides the one where it lives: its server is on the way there, or may be."""

    port_id: Annotated[str, sa.String(36), PRIMARY]
    host: Annotated[str, sa.String(255), PRIMARY]
    vnic_type: Short
    profile: Json
    ready: bool
    """That node says that it is wired."""


@stored("network_port_groups", sa.Index("network_port_groups_group", "group_id"))
class PortGroupRow(Row):
    """A port is a member of a security group."""

    port_id: Annotated[str, sa.String(36), PRIMARY]
    group_id: Annotated[str, sa.String(36), PRIMARY]
