"""What is remembered of a subnet, and of every address that is in use."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Json, Number, Ref, Row, Short, stored
from cumulet.services.network.standard import Standard


@stored(
    "network_subnets",
    sa.Index("network_subnets_network", "network_id"),
    sa.Index("network_subnets_pool", "subnetpool_id"),
    sa.Index("network_subnets_project", "project_id"),
)
class SubnetRow(Standard):
    """A subnet."""

    network_id: Ref
    network_project_id: Ref
    version: Number
    cidr: Short
    gateway: Short
    dhcp: bool
    pools: Json
    dns: Json
    routes: Json
    service_types: Json
    ra_mode: Short
    address_mode: Short
    subnetpool_id: Ref
    segment_id: Ref

    @property
    def makes_own_addresses(self) -> bool:
        """Hosts make their addresses from their MAC."""
        return self.version == 6 and self.address_mode in ("slaac", "dhcpv6-stateless")


@stored(
    "network_addresses",
    sa.Index("network_addresses_port", "port_id"),
    sa.Index("network_addresses_ip", "ip"),
)
class AddressRow(Row):
    """An address in use. The key of the table keeps it from being given twice."""

    subnet_id: Annotated[str, sa.String(36), PRIMARY]
    key: Annotated[str, sa.String(32), PRIMARY]
    """The address as text that sorts as the number does."""
    ip: Short
    port_id: Ref
    network_id: Ref
