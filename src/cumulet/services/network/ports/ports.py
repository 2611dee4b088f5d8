"""The noun `port`: what a client sees and sends."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause, Filter
from cumulet.core.web.wire import AnyObject, Bool, Enum, Int, ListOf, Mac, Obj, Text, Uuid
from cumulet.services.network import rbac
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.facets import Facet, OrNull, Passed
from cumulet.services.network.floating_ips.row import FloatingIpRow, refuse_forwarded, release_port
from cumulet.services.network.local_ips.row import LocalIpRow
from cumulet.services.network.networks.errors import NetworkNotFound
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.noun import Noun
from cumulet.services.network.ports import operations
from cumulet.services.network.ports.addressing import Wanted, new_mac
from cumulet.services.network.ports.errors import (
    AddressPairAndPortSecurityRequired,
    PortInUse,
    PortInUseAsSubPort,
    PortInUseAsTrunkParent,
    PortNotFound,
    PortSecurityPortHasSecurityGroup,
    ServicePortInUse,
)
from cumulet.services.network.ports.filters import address_filter, groups_filter
from cumulet.services.network.ports.operations import NewPort
from cumulet.services.network.ports.row import OF_THE_SERVICE, SUB_PORT, PortRow
from cumulet.services.network.ports.shares import SHARES, exchanging
from cumulet.services.network.qos.row import applied_policy
from cumulet.services.network.room import Network
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.security_groups.groups import default_group, usable_groups
from cumulet.services.network.standard import STANDARD, json_text
from cumulet.services.network.wires import DnsName, FixedIps, IpOrCidr

VIF_TYPE = "bridge"
VIF_DETAILS = {"port_filter": True, "connectivity": "l2"}
VnicType = Enum("normal", "macvtap", "direct", "baremetal", "direct-physical", "virtio-forwarder", "smart-nic")
DhcpOptions = ListOf(
    Obj(
        Field("opt_name", Text(64, 1), create=REQUIRED),
        Field("opt_value", Text(255).or_null(), create=REQUIRED),
        Field("ip_version", Int(4, 6), create=4),
    ),
    most=64,
)
Pairs = ListOf(
    Obj(Field("ip_address", IpOrCidr, create=REQUIRED), Field("mac_address", Mac.or_null(), create=OPTIONAL)), most=64
)


@cache
def _visible() -> Clause:
    """Own, or on an own network."""
    return sa.or_(PortRow.c.project_id == rbac.caller_project(), PortRow.c.network_project_id == rbac.caller_project())


async def _around(tx: Transaction, wish: dict[str, Any]) -> Mapping[str, object]:
    """The network that a new port is for, as rules ask about it."""
    network = await tx.get(NetworkRow, id=wish["network_id"])
    if network is None:
        raise NetworkNotFound(f"Network {wish['network_id']} could not be found.")
    shared = rbac.shared_with(network.shared_with, wish["project_id"])
    return {
        "network:project_id": network.project_id,
        "network:tenant_id": network.project_id,
        "networks:shared": shared,
        "shared": shared,
    }


def profile_of(row: PortRow) -> msgspec.Raw:
    """The profile with which it is bound; of a port that its node gives a share, also by which provider."""
    if row.allocation == "{}":
        return msgspec.Raw(row.profile.encode())
    profile = msgspec.json.decode(row.profile) | {"allocation": msgspec.Raw(row.allocation.encode())}
    return msgspec.Raw(msgspec.json.encode(profile))


ports = Noun(
    "/ports",
    "port",
    "ports",
    PortRow,
    [
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
    ],
    missing=PortNotFound,
    quota="port",
    sees=lambda call: None if rbac.sees_all(call) else _visible(),
    aspects=lambda call, row: {"network:project_id": row.network_project_id, "device_owner": row.device_owner},
    surroundings=_around,
    filters=[Filter("fixed_ips", clause=address_filter), Filter("security_groups", clause=groups_filter)],
)
ports.reads()


@ports.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> PortRow:
    network = await usable_network(tx, call, wish["network_id"])
    security = wish.get("port_security_enabled", network.port_security)
    await _refuse_false_leg(tx, None, wish["device_id"], wish["device_owner"])
    groups = await _groups_for(room, tx, call, wish, security)
    pairs = wish["allowed_address_pairs"]
    refuse_odd_security(room, security, groups, pairs)
    return await operations.make(
        room,
        tx,
        network,
        NewPort(
            project_id=wish["project_id"],
            name=wish["name"],
            description=wish["description"],
            tags=wish.get("tags", ()),
            mac=wish.get("mac_address") or "",
            admin_up=wish["admin_state_up"],
            device_id=wish["device_id"],
            device_owner=wish["device_owner"],
            host=wish["binding:host_id"] or "",
            vnic_type=wish["binding:vnic_type"],
            profile=wish.get("binding:profile") or {},
            port_security=security,
            addresses=wanted_addresses(wish.get("fixed_ips")),
            groups=groups,
            pairs=pairs,
            dhcp_options=_options([], wish.get("extra_dhcp_opts") or []),
            dns_name=wish["dns_name"],
            qos_policy_id=await applied_policy(tx, call, wish.get("qos_policy_id")),
        ),
    )


async def usable_network(tx: Transaction, call: Call, network_id: str) -> NetworkRow:
    """A network that the caller may use, if only as a way out. Raises NetworkNotFound."""
    network = await tx.get(NetworkRow, id=network_id)
    caller = call.caller.project_id
    if network and (
        network.project_id == caller
        or rbac.shared_with(network.shared_with, caller)
        or rbac.sees_all(call)
        or (network.external and await rbac.leads_out(tx, network.id, caller))
    ):
        return network
    raise NetworkNotFound(f"Network {network_id} could not be found.")


def wanted_addresses(given: Sequence[Mapping[str, Any]] | None) -> list[Wanted] | None:
    """Addresses as they were asked for; None: whatever there is."""
    if given is None:
        return None
    wanted = [Wanted(entry.get("subnet_id") or "", entry.get("ip_address") or "") for entry in given]
    for entry in wanted:
        if not entry.subnet_id and not entry.ip:
            raise InvalidInput("Invalid input for fixed_ips. Reason: IP allocation requires subnet_id or ip_address.")
        if entry.ip and wanted.count(entry) > 1:
            raise InvalidInput(f"Invalid input for fixed_ips. Reason: Duplicate IP address '{entry.ip}'.")
    return wanted


async def _groups_for(room: Network, tx: Transaction, call: Call, wish: Mapping[str, Any], security: bool) -> list[str]:
    if wish.get("security_groups") is not None or "security_groups" in wish:
        return await usable_groups(tx, call, wish["security_groups"] or [])
    if not security or wish["device_owner"].startswith("network:"):
        return []
    return [(await default_group(room, tx, wish["project_id"])).id]


def refuse_odd_security(room: Network, security: bool, groups: Sequence[str], pairs: Sequence[Any]) -> None:
    """Raise where groups or pairs are given without port security, or too many pairs."""
    if not security and groups:
        raise PortSecurityPortHasSecurityGroup(
            "Port has security group associated. Cannot disable port security or ip address until security group is "
            "removed."
        )
    if not security and pairs:
        raise AddressPairAndPortSecurityRequired(
            "Port Security must be enabled in order to have allowed address pairs on a port."
        )
    if len(pairs) > room.most_address_pairs:
        raise InvalidInput(
            f"The number of allowed address pair exceeds the maximum {room.most_address_pairs}.",
            type_name="AllowedAddressPairExhausted",
        )


def _options(before: Sequence[dict[str, Any]], given: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """DHCP options after a change: named ones are set, those with null are taken away."""
    found = {(option["opt_name"], option["ip_version"]): option for option in before}
    for option in given:
        key = (option["opt_name"], option["ip_version"])
        if option["opt_value"] is None:
            found.pop(key, None)
        elif option["opt_name"] != "bootfile-name" and option["opt_value"] == "":
            raise InvalidInput(f"Invalid data format for extra-dhcp-opt: {option['opt_name']} has no value.")
        else:
            found[key] = {"opt_name": key[0], "opt_value": option["opt_value"], "ip_version": key[1]}
    return list(found.values())


async def _refuse_false_leg(tx: Transaction, row: PortRow | None, device_id: str, device_owner: str) -> None:
    """Only the router's own verbs make a port its leg, or end that: else anybody could wire himself to a router."""
    if row and (row.device_id, row.device_owner) == (device_id, device_owner):
        return
    if row and row.device_id and row.device_owner in OF_THE_SERVICE:
        raise ServicePortInUse(f"Port {row.id} belongs to {row.device_owner} {row.device_id}; that alone lets it go.")
    owners = (RouterRow, FloatingIpRow, LocalIpRow) if device_owner in OF_THE_SERVICE and device_id else ()
    if any([await tx.count(owner, id=device_id) for owner in owners]):
        raise ServicePortInUse(
            f"The device {device_id[:64]} takes its ports by its own verbs only.",
            type_name="DeviceIDNotOwnedByTenant",
        )


ports.around_update = exchanging(ports)
_PLAIN = {
    "name": "name",
    "description": "description",
    "admin_state_up": "admin_up",
    "device_id": "device_id",
    "device_owner": "device_owner",
    "dns_name": "dns_name",
    "binding:vnic_type": "vnic_type",
    "port_security_enabled": "port_security",
}


@ports.updating
async def update(room: Network, call: Call, tx: Transaction, row: PortRow, wish: dict[str, Any]) -> PortRow:
    changes: dict[str, Any] = {column: wish[name] for name, column in _PLAIN.items() if name in wish}
    await _refuse_false_leg(
        tx, row, changes.get("device_id", row.device_id), changes.get("device_owner", row.device_owner)
    )
    if row.device_owner == SUB_PORT and {"device_id", "device_owner"} & {n for n in wish if wish[n] != getattr(row, n)}:
        _refuse_trunk(row)
    if "mac_address" in wish:
        if row.host and wish["mac_address"] and wish["mac_address"] != row.mac:
            raise PortInUse(
                f"Unable to complete operation on port {row.id}. Port is bound to {row.host}; a MAC address can be "
                f"changed while it is not."
            )
        changes["mac"] = wish["mac_address"] or new_mac(room)
    if "binding:host_id" in wish:
        changes["host"] = wish["binding:host_id"] or ""
    if "binding:profile" in wish:
        changes["profile"] = json_text(wish["binding:profile"] or {})
    if "qos_policy_id" in wish:
        changes["qos_policy_id"] = await applied_policy(tx, call, wish["qos_policy_id"], row.qos_policy_id)
    if SHARES in wish:
        changes["allocation"] = json_text(wish[SHARES])
    if "extra_dhcp_opts" in wish:
        changes["dhcp_options"] = json_text(
            _options(msgspec.json.decode(row.dhcp_options), wish["extra_dhcp_opts"] or [])
        )
    if "fixed_ips" in wish:
        changes["addresses"] = wanted_addresses(wish["fixed_ips"] or [])
        await refuse_forwarded(tx, row.id, {wanted.ip for wanted in changes["addresses"]}, keep=row.fixed_ips)
    if "security_groups" in wish:
        changes["group_ids"] = await usable_groups(tx, call, wish["security_groups"] or [], has=row.groups)
    if "allowed_address_pairs" in wish:
        changes["pair_list"] = wish["allowed_address_pairs"]
    security = wish.get("port_security_enabled", row.port_security)
    refuse_odd_security(
        room,
        security,
        changes.get("group_ids", msgspec.json.decode(row.groups)),
        wish.get("allowed_address_pairs", msgspec.json.decode(row.pairs)),
    )
    return await operations.change(room, tx, row, **changes)


def _refuse_trunk(row: PortRow) -> None:
    """A trunk's ports stay while it does."""
    if row.trunk_id and row.device_owner == SUB_PORT:
        raise PortInUseAsSubPort(f"Port {row.id} is currently a subport for trunk {row.trunk_id}.")
    if row.trunk_id:
        raise PortInUseAsTrunkParent(f"Port {row.id} is currently a parent port for trunk {row.trunk_id}.")


@ports.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: PortRow) -> None:
    _refuse_trunk(row)
    if row.device_owner in OF_THE_SERVICE and row.device_id:
        raise ServicePortInUse(
            f"Port {row.id} cannot be deleted directly via the port API: has device owner {row.device_owner}."
        )
    await release_port(room, tx, row.id)
    await operations.erase(room, tx, row)
