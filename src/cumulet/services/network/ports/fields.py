"""What a client sees of a port, and sends."""

from __future__ import annotations

import msgspec

from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.wire import AnyObject, Bool, Enum, ListOf, Mac, Obj, Text, Uuid
from cumulet.services.network.facets import Facet, OrNull, Passed
from cumulet.services.network.ports.columns import MOST_OPTIONS
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.standard import STANDARD
from cumulet.services.network.wires import DnsName, FixedIps, IpOrCidr, IpVersion

VIF_TYPE = "bridge"
VIF_DETAILS = {"port_filter": True, "connectivity": "l2"}
VnicType = Enum("normal", "macvtap", "direct", "baremetal", "direct-physical", "virtio-forwarder", "smart-nic")
DhcpOptions = ListOf(
    Obj(
        Field("opt_name", Text(64, 1), create=REQUIRED),
        Field("opt_value", Text(255).or_null(), create=REQUIRED),
        Field("ip_version", IpVersion, create=4),
    ),
    most=MOST_OPTIONS,
)
Pairs = ListOf(
    Obj(Field("ip_address", IpOrCidr, create=REQUIRED), Field("mac_address", Mac.or_null(), create=OPTIONAL)), most=64
)


def profile_of(row: PortRow) -> msgspec.Raw:
    """The profile with which it is bound; of a port that its node gives a share, also by which provider."""
    if row.allocation == "{}":
        return msgspec.Raw(row.profile.encode())
    profile = msgspec.json.decode(row.profile) | {"allocation": msgspec.Raw(row.allocation.encode())}
    return msgspec.Raw(msgspec.json.encode(profile))


FACETS = (
    *STANDARD,
    Facet(
        fields=(
            Field("network_id", Uuid, create=REQUIRED),
            Field("admin_state_up", Bool, create=True, update=OPTIONAL, source="admin_up"),
            Field("status", Text()),
            Field("mac_address", Mac.or_null(), create=OPTIONAL, update=OPTIONAL, source="mac"),
            Field("fixed_ips", FixedIps.or_null(), create=OPTIONAL, update=OPTIONAL, source=Passed("fixed_ips")),
            Field("device_id", Text(255), create="", update=OPTIONAL),
            Field("device_owner", Text(255), create="", update=OPTIONAL),
        ),
    ),
    Facet(
        "security-group",
        "Security groups",
        (
            Field(
                "security_groups",
                ListOf(Uuid, most=64, unique=True).or_null(),
                create=OPTIONAL,
                update=OPTIONAL,
                source=Passed("groups"),
            ),
        ),
    ),
    Facet(
        "binding",
        "Bindings of ports",
        (
            Field(
                "binding:host_id",
                Text(255).or_null(),
                create="",
                update=OPTIONAL,
                source="host",
                rule="get_port:binding:host_id",
            ),
            Field("binding:vnic_type", VnicType, create="normal", update=OPTIONAL, source="vnic_type"),
            Field(
                "binding:profile",
                AnyObject.or_null(),
                create=OPTIONAL,
                update=OPTIONAL,
                source=lambda row, call: profile_of(row),
                rule="get_port:binding:profile",
            ),
            Field(
                "binding:vif_type",
                Text(),
                source=lambda row, call: VIF_TYPE if row.host else "unbound",
                rule="get_port:binding:vif_type",
            ),
            Field(
                "binding:vif_details",
                Text(),
                source=lambda row, call: VIF_DETAILS if row.host else {},
                rule="get_port:binding:vif_details",
            ),
        ),
    ),
    Facet(
        "port-security",
        "Port security",
        (Field("port_security_enabled", Bool, create=OPTIONAL, update=OPTIONAL, source="port_security"),),
    ),
    Facet(
        "allowed-address-pairs",
        "Allowed address pairs",
        (Field("allowed_address_pairs", Pairs, create=[], update=OPTIONAL, source=Passed("pairs")),),
    ),
    Facet(
        "extra_dhcp_opt",
        "Extra DHCP options",
        (
            Field(
                "extra_dhcp_opts",
                DhcpOptions.or_null(),
                create=OPTIONAL,
                update=OPTIONAL,
                source=Passed("dhcp_options"),
            ),
        ),
    ),
    Facet(
        "dns-integration",
        "DNS names",
        (
            Field("dns_name", DnsName, create="", update=OPTIONAL),
            Field("dns_assignment", Text(), source=Passed("dns_assignment")),
        ),
    ),
    Facet(
        "qos",
        "Quality of service",
        (Field("qos_policy_id", Uuid.or_null(), create=OPTIONAL, update=OPTIONAL, source=OrNull("qos_policy_id")),),
    ),
    Facet(
        "qos-port-network-policy",
        "A port shows its network's policy",
        (Field("qos_network_policy_id", Text(), source=OrNull("qos_network_policy_id")),),
    ),
    Facet(
        "port-resource-request",
        "What a port asks of its node",
        (
            Field(
                "resource_request",
                Text(),
                source=Passed("resource_request"),
                rule="get_port:resource_request",
            ),
        ),
    ),
    Facet("port-resource-request-groups", "What a port asks of several providers of its node"),
    Facet("ip_allocation", "When ports get their addresses", (Field("ip_allocation", Text()),)),
    Facet("trunk-details", "Details of trunks", (Field("trunk_details", Text(), source=Passed("trunk")),)),
    Facet("allowed-address-pairs-atomic", "Allowed address pairs one by one"),
    Facet("ip-substring-filtering", "Ports by a part of their address"),
    Facet("port-mac-address-regenerate", "A MAC made anew"),
    Facet("tag-ports-during-bulk-creation", "Tags on many ports made at once"),
)
