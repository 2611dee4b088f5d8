"""What may be done with ports. The only code that writes their rows, whoever asks: users, compute, routers, DHCP."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import msgspec

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.db.engine import Collision
from cumulet.services.network.floating_ips.row import release_port, show_port
from cumulet.services.network.local_ips.row import follow_port, forget_port
from cumulet.services.network.networks.errors import NetworkNotFound
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports import addressing
from cumulet.services.network.ports.addresses import Wanted, given_of, text_of
from cumulet.services.network.ports.columns import (
    dns_assignment,
    groups_text,
    mac_taken,
    new_mac,
    pairs_text,
    refuse_taken_mac,
)
from cumulet.services.network.ports.reach import refuse_elsewhere
from cumulet.services.network.ports.row import SUB_PORT, BindingRow, PortGroupRow, PortRow
from cumulet.services.network.ports.status import status_of
from cumulet.services.network.ports.telling import OF_THE_SPEC, tell_of_change, tell_of_end, tell_of_new
from cumulet.services.network.qos.requests import NOTHING, request_of
from cumulet.services.network.room import Network
from cumulet.services.network.routers.proxying import forget_addresses
from cumulet.services.network.security_groups.log_row import LogRow
from cumulet.services.network.standard import TagRow, json_text, standard
from cumulet.services.network.subnets.row import AddressRow, SubnetRow
from cumulet.services.network.trunks.row import show_trunk, sub_ports_of

OF_THE_REQUEST = {"qos_policy_id", "vnic_type", "device_owner"}
"""Columns that decide what a port asks of its node."""


class NewPort(msgspec.Struct, kw_only=True):
    """A port to be made, checked in all that needs no database."""

    project_id: str
    name: str = ""
    description: str = ""
    tags: Sequence[str] = ()
    mac: str = ""
    admin_up: bool = True
    device_id: str = ""
    device_owner: str = ""
    host: str = ""
    vnic_type: str = "normal"
    profile: dict[str, Any] = msgspec.field(default_factory=dict)
    port_security: bool | None = None
    """None: as the network has it."""
    addresses: Sequence[Wanted] | None = None
    """None: one of each version there is."""
    groups: Sequence[str] = ()
    """Ids of security groups that were looked up already."""
    pairs: Sequence[dict[str, str]] = ()
    dhcp_options: Sequence[dict[str, Any]] = ()
    dns_name: str = ""
    qos_policy_id: str = ""
    plug_key: str | None = None
    preserve: bool = True
    nic_tag: str = ""
    counted: bool = True


async def make(room: Network, tx: Transaction, network: NetworkRow, new: NewPort) -> PortRow:
    """Insert a port with its MAC, addresses and groups."""
    columns = standard(msgspec.structs.asdict(new), room.clock)
    if new.mac:
        await refuse_taken_mac(tx, network.id, new.mac)
    mac = new.mac or new_mac(room)
    given = await addressing.give(
        tx,
        network_id=network.id,
        port_id=columns["id"],
        mac=mac,
        device_owner=new.device_owner,
        wanted=new.addresses,
        host=new.host,
    )
    waits = network.routed and new.addresses is None and not given
    row = PortRow(
        **columns,
        network_id=network.id,
        network_project_id=network.project_id,
        mac=mac,
        admin_up=new.admin_up,
        status="DOWN",
        device_id=new.device_id,
        device_owner=new.device_owner,
        host=new.host,
        vnic_type=new.vnic_type,
        profile=json_text(new.profile),
        port_security=network.port_security if new.port_security is None else new.port_security,
        fixed_ips=text_of(given),
        groups=groups_text(new.groups),
        pairs=pairs_text(new.pairs, mac),
        dhcp_options=json_text(new.dhcp_options),
        dns_name=new.dns_name,
        dns_assignment=dns_assignment(room, network, new.dns_name, given),
        qos_policy_id=new.qos_policy_id,
        qos_network_policy_id=network.qos_policy_id,
        resource_request=NOTHING,
        allocation="{}",
        plug_key=new.plug_key,
        preserve=new.preserve,
        nic_tag=new.nic_tag,
        trunk_id="",
        trunk="null",
        ip_allocation="deferred" if waits else "immediate" if given else "none",
        counted=new.counted and bool(new.project_id),
        up=False,
        generation=1,
        unsettled=bool(new.host),
    )
    row.status = status_of(row)
    row.resource_request = await request_of(tx, row, network)
    await _insert(tx, row, mac_asked_for=bool(new.mac))
    await _join_groups(tx, row.id, new.groups)
    await tell_of_new(tx, row)
    return row


async def _insert(tx: Transaction, row: PortRow, *, mac_asked_for: bool) -> None:
    try:
        await tx.insert(row)
    except Duplicate as taken:
        if taken.index == "network_ports_mac" and mac_asked_for:
            raise mac_taken(row.mac, row.network_id) from taken
        raise Collision(taken.index) from taken


async def _join_groups(tx: Transaction, port_id: str, groups: Collection[str]) -> None:
    await tx.insert_all(PortGroupRow(port_id, group) for group in sorted(set(groups)))


async def change(room: Network, tx: Transaction, row: PortRow, **changes: Any) -> PortRow:
    """Write changed columns of a port and all that follows from them, and tell everybody whom it concerns.

    `addresses`, `group_ids` and `pair_list` may be given instead of their columns.
    """
    network = await tx.get(NetworkRow, id=row.network_id)
    if network is None:
        raise NetworkNotFound(f"Network {row.network_id} could not be found.")
    await _into_columns(room, tx, network, row, changes)
    changed = {name: value for name, value in changes.items() if getattr(row, name) != value}
    if not changed:
        return row
    changed |= await _consequences(room, tx, network, row, changes, changed)
    after = msgspec.structs.replace(row, **changed)
    changed["status"] = after.status = status_of(after)
    try:
        await tx.update(PortRow, {"id": row.id}, **changed)
    except Duplicate as taken:
        raise mac_taken(after.mac, row.network_id) from taken
    await show_port(tx, after)
    if "host" in changed:
        await tx.delete(BindingRow, port_id=row.id, host=after.host)
        await follow_port(tx, after)
    if after.trunk_id and ({"host", "mac"} & set(changed) or after.status != row.status):
        await _keep_together(room, tx, after)
    await tell_of_change(tx, row, after, changed)
    return after


async def _into_columns(
    room: Network, tx: Transaction, network: NetworkRow, row: PortRow, changes: dict[str, Any]
) -> None:
    """Addresses, groups and pairs become their columns, and the rows beside the port's follow them."""
    mac: str = changes.get("mac", row.mac)
    if mac != row.mac:
        await refuse_taken_mac(tx, row.network_id, mac)
    if "pair_list" in changes:
        changes["pairs"] = pairs_text(changes.pop("pair_list"), mac)
    if "group_ids" in changes:
        group_ids: Sequence[str] = changes.pop("group_ids")
        changes["groups"] = groups_text(group_ids)
        if changes["groups"] != row.groups:
            await tx.delete(PortGroupRow, port_id=row.id)
            await _join_groups(tx, row.id, group_ids)
    wanted: Sequence[Wanted] | None = changes.pop("addresses", None)
    host = changes.get("host", row.host)
    if wanted is not None:
        changes |= await _readdress(room, tx, row, changes, wanted)
    elif network.routed and host not in ("", row.host) and not row.device_owner.startswith("network:"):
        changes |= await _arrive(tx, row, host)
    if {"fixed_ips", "dns_name"} & set(changes):
        name = changes.get("dns_name", row.dns_name)
        now = given_of(changes.get("fixed_ips", row.fixed_ips))
        changes["dns_assignment"] = dns_assignment(room, network, name, now)


async def _readdress(
    room: Network, tx: Transaction, row: PortRow, changes: Mapping[str, Any], wanted: Sequence[Wanted]
) -> dict[str, Any]:
    """The columns of a port that is to have these addresses."""
    given = await addressing.regive(
        tx,
        network_id=row.network_id,
        port_id=row.id,
        mac=changes.get("mac", row.mac),
        device_owner=changes.get("device_owner", row.device_owner),
        before=given_of(row.fixed_ips),
        wanted=wanted,
        host=changes.get("host", row.host),
    )
    kept = {has.ip_address for has in given}
    await _let_lead(room, tx, row.id, kept)
    return {"fixed_ips": text_of(given), "ip_allocation": "immediate" if given else "none"}


async def _let_lead(room: Network, tx: Transaction, port_id: str, kept: Collection[str]) -> None:
    """Floating IPs, local IPs and routers' answers lead only to these addresses of a port from now on."""
    await release_port(room, tx, port_id, kept)
    await forget_port(tx, port_id, kept)
    await forget_addresses(tx, port_id, kept)


async def _arrive(tx: Transaction, row: PortRow, host: str) -> dict[str, Any]:
    """What its node means for a port's addresses: if it waited for them they are given, else they must be of use."""
    if row.ip_allocation != "deferred":
        has = [Wanted(one.subnet_id, one.ip_address) for one in given_of(row.fixed_ips)]
        subnets = await tx.find(SubnetRow, network_id=row.network_id)
        await refuse_elsewhere(tx, row.network_id, subnets, has, host)
        return {}
    given = await addressing.give(
        tx,
        network_id=row.network_id,
        port_id=row.id,
        mac=row.mac,
        device_owner=row.device_owner,
        wanted=None,
        host=host,
    )
    return {"fixed_ips": text_of(given), "ip_allocation": "immediate"}


async def _consequences(
    room: Network,
    tx: Transaction,
    network: NetworkRow,
    row: PortRow,
    asked: Mapping[str, Any],
    changed: Mapping[str, Any],
) -> dict[str, Any]:
    """The columns that change because others do."""
    found: dict[str, Any] = {"updated_at": room.clock.now(), "revision": row.revision + 1}
    if "device_id" in changed:
        # The key was that of another device's card.
        found["plug_key"] = asked.get("plug_key")
    if {"host", "device_id"} & set(changed):
        # What was given to it was given to that server, on that node.
        found["allocation"] = asked.get("allocation", "{}")
    if "host" in changed:
        # Where it was made before it came, it is up at once.
        prepared = await tx.get(BindingRow, port_id=row.id, host=changed["host"])
        found["up"] = prepared is not None and prepared.ready
    if OF_THE_REQUEST & set(changed):
        found["resource_request"] = await request_of(tx, msgspec.structs.replace(row, **changed), network)
    if OF_THE_SPEC & set(changed):
        found |= {"generation": row.generation + 1, "unsettled": True}
    return found


async def _keep_together(room: Network, tx: Transaction, row: PortRow) -> None:
    """The sub-ports of a trunk live where its own port does, and it shows what they are."""
    if row.device_owner != SUB_PORT:
        for port in await sub_ports_of(tx, row.trunk_id):
            await change(room, tx, port, host=row.host)
    await show_trunk(tx, row.trunk_id)


async def erase(room: Network, tx: Transaction, row: PortRow) -> None:
    """Delete a port with its addresses and memberships; nodes are told later."""
    if not await tx.delete(PortRow, id=row.id):
        return
    await _let_lead(room, tx, row.id, ())
    await tx.delete(AddressRow, port_id=row.id)
    await tx.delete(PortGroupRow, port_id=row.id)
    await tx.delete(TagRow, resource_id=row.id)
    await tx.delete(LogRow, port_id=row.id)
    prepared = await tx.delete(BindingRow, port_id=row.id)
    if row.counted:
        await room.quota.give_back(tx, row.project_id, port=1)
    await tell_of_end(tx, row, somewhere=bool(row.host or prepared))
