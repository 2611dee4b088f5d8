"""What a client sees of a network, and sends."""

from __future__ import annotations

from typing import Any

import msgspec

from cumulet.core.web.body import OPTIONAL, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Bool, Enum, Int, ListOf, Obj, Text, Uuid
from cumulet.services.network import rbac
from cumulet.services.network.facets import Facet, OrNull, Passed
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.standard import STANDARD
from cumulet.services.network.wires import DnsName


def _shared(row: NetworkRow, call: Call) -> bool:
    return rbac.shared_with(row.shared_with, call.caller.project_id)


def _zones(hints: str) -> list[str]:
    found: list[str] = msgspec.json.decode(hints)
    return found or ["nova"]


class Alone(OrNull):
    """Source of a field that says nothing where several segments do."""

    def __call__(self, row: Any, call: object) -> object:
        return super().__call__(row, call) if row.segments == "null" else None


Kind = Enum("vxlan", "vlan", "flat", "local")
SegmentNumber = Int(1, 2**24 - 1).or_null()
ProviderSegment = Obj(
    Field("provider:network_type", Kind, create=OPTIONAL),
    Field("provider:physical_network", Text(64).or_null(), create=OPTIONAL),
    Field("provider:segmentation_id", SegmentNumber, create=OPTIONAL),
)

FACETS = (
    *STANDARD,
    Facet(
        fields=(
            Field("admin_state_up", Bool, create=True, update=OPTIONAL, source="admin_up"),
            Field("status", Text()),
            Field("shared", Bool, create=False, update=OPTIONAL, source=_shared),
            Field("subnets", Text(), source=Passed("subnets")),
        )
    ),
    Facet(
        "provider",
        "Provider attributes of networks",
        (
            Field(
                "provider:network_type",
                Kind,
                create=OPTIONAL,
                source=Alone("network_type"),
                rule="get_network:provider:network_type",
            ),
            Field(
                "provider:physical_network",
                Text(64).or_null(),
                create=OPTIONAL,
                source=Alone("physical_network"),
                rule="get_network:provider:physical_network",
            ),
            Field(
                "provider:segmentation_id",
                SegmentNumber,
                create=OPTIONAL,
                source=Alone("segmentation_id"),
                rule="get_network:provider:segmentation_id",
            ),
        ),
    ),
    Facet(
        "multi-provider",
        "Networks of several segments",
        (
            Field(
                "segments",
                ListOf(ProviderSegment, least=1, most=16),
                create=OPTIONAL,
                source=Passed("segments"),
                rule="get_network:segments",
            ),
        ),
    ),
    Facet(
        "external-net",
        "External networks",
        (Field("router:external", Bool, create=False, update=OPTIONAL, source="external"),),
    ),
    Facet("net-mtu", "MTU of networks", (Field("mtu", Int(0, 65535), create=OPTIONAL, update=OPTIONAL),)),
    Facet("tag", "Tags on networks"),
    Facet("net-mtu-writable", "MTU of networks that may be written"),
    Facet(
        "port-security",
        "Port security",
        (Field("port_security_enabled", Bool, create=True, update=OPTIONAL, source="port_security"),),
    ),
    Facet(
        "network_availability_zone",
        "Availability zones of networks",
        (
            Field("availability_zone_hints", ListOf(Text(), most=8), create=OPTIONAL, source=Passed("zone_hints")),
            Field(
                "availability_zones",
                Text(),
                source=lambda row, call: _zones(row.zone_hints) if row.dhcp_mac else [],
            ),
        ),
    ),
    Facet(
        "dns-integration",
        "DNS names",
        (Field("dns_domain", DnsName, create="", update=OPTIONAL),),
    ),
    Facet(
        "qos",
        "Quality of service",
        (
            Field(
                "qos_policy_id",
                Uuid.or_null(),
                create=OPTIONAL,
                update=OPTIONAL,
                source=OrNull("qos_policy_id"),
            ),
        ),
    ),
    Facet(
        "auto-allocated-topology",
        "A topology made by itself",
        (Field("is_default", Bool, create=False, update=OPTIONAL),),
    ),
    Facet(
        "address-scope",
        "Address scopes",
        (
            Field("ipv4_address_scope", Text(), source=OrNull("scope_v4")),
            Field("ipv6_address_scope", Text(), source=OrNull("scope_v6")),
        ),
    ),
    Facet("l2_adjacency", "Layer 2 adjacency", (Field("l2_adjacency", Bool, source=lambda row, call: not row.routed),)),
)
