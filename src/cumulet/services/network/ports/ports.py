"""The noun `port`: made, changed and deleted by its users."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Transaction
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause, Filter
from cumulet.services.network import rbac
from cumulet.services.network.floating_ips.row import FloatingIpRow, refuse_forwarded
from cumulet.services.network.local_ips.row import LocalIpRow
from cumulet.services.network.networks.errors import NetworkNotFound
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.networks.using import usable_network
from cumulet.services.network.noun import Noun
from cumulet.services.network.ports import operations
from cumulet.services.network.ports.addresses import refuse_too_many, wanted_addresses
from cumulet.services.network.ports.columns import new_mac, with_options
from cumulet.services.network.ports.errors import (
    PortInUse,
    PortInUseAsSubPort,
    PortInUseAsTrunkParent,
    PortNotFound,
    ServicePortInUse,
)
from cumulet.services.network.ports.fields import FACETS
from cumulet.services.network.ports.filters import address_filter, groups_filter
from cumulet.services.network.ports.operations import NewPort
from cumulet.services.network.ports.row import OF_THE_SERVICE, SUB_PORT, PortRow
from cumulet.services.network.ports.security import groups_of_new, refuse_odd_security
from cumulet.services.network.ports.shares import SHARES, exchanging
from cumulet.services.network.qos.row import applied_policy
from cumulet.services.network.room import Network
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.security_groups.groups import usable_groups
from cumulet.services.network.standard import json_text


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


ports = Noun(
    "/ports",
    "port",
    "ports",
    PortRow,
    FACETS,
    missing=PortNotFound,
    quota="port",
    sees=lambda call: None if rbac.sees_all(call) else _visible(),
    aspects=lambda call, row: {"network:project_id": row.network_project_id, "device_owner": row.device_owner},
    surroundings=_around,
    filters=[Filter("fixed_ips", clause=address_filter), Filter("security_groups", clause=groups_filter)],
)
ports.reads()
ports.around_update = exchanging(ports)


@ports.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> PortRow:
    network = await usable_network(tx, call, wish["network_id"])
    security = wish.get("port_security_enabled", network.port_security)
    await _refuse_false_leg(tx, None, wish["device_id"], wish["device_owner"])
    groups = await groups_of_new(room, tx, call, wish, security)
    pairs = wish["allowed_address_pairs"]
    refuse_odd_security(room, security, groups, pairs)
    addresses = wanted_addresses(wish.get("fixed_ips"))
    refuse_too_many(room.most_fixed_ips, addresses, wish["device_owner"])
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
            addresses=addresses,
            groups=groups,
            pairs=pairs,
            dhcp_options=with_options([], wish.get("extra_dhcp_opts") or []),
            dns_name=wish["dns_name"],
            qos_policy_id=await applied_policy(tx, call, wish.get("qos_policy_id")),
        ),
    )


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
    device = (changes.get("device_id", row.device_id), changes.get("device_owner", row.device_owner))
    await _refuse_false_leg(tx, row, *device)
    if row.device_owner == SUB_PORT and device != (row.device_id, row.device_owner):
        _refuse_trunk(row)
    if "mac_address" in wish:
        if row.host and wish["mac_address"] and wish["mac_address"] != row.mac:
            raise PortInUse(
                f"Unable to complete operation on port {row.id}. Port is bound to {row.host}; a MAC address can be "
                "changed while it is not."
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
        before = msgspec.json.decode(row.dhcp_options)
        changes["dhcp_options"] = json_text(with_options(before, wish["extra_dhcp_opts"] or []))
    if "fixed_ips" in wish:
        changes["addresses"] = wanted_addresses(wish["fixed_ips"] or [])
        refuse_too_many(room.most_fixed_ips, changes["addresses"], device[1])
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
    await operations.erase(room, tx, row)
