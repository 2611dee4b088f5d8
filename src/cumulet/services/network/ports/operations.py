"""What may be done with ports. The only code that writes their rows, whoever asks: users, compute, routers, DHCP."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import msgspec

from cumulet.core.db import Duplicate, Transaction
from cumulet.core.db.engine import Collision
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.floating_ips.row import show_port
from cumulet.services.network.local_ips.row import follow_port, forget_port
from cumulet.services.network.networks.errors import NetworkNotFound
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports import addressing
from cumulet.services.network.ports.addressing import Given, Wanted
from cumulet.services.network.ports.errors import MacAddressInUse
from cumulet.services.network.ports.row import DHCP, SUB_PORT, BindingRow, PortGroupRow, PortRow
from cumulet.services.network.ports.status import status_of
from cumulet.services.network.qos.requests import NOTHING, request_of
from cumulet.services.network.room import Network
from cumulet.services.network.routers.proxying import forget_addresses
from cumulet.services.network.security_groups.log_row import LogRow
from cumulet.services.network.security_groups.members import stir_groups
from cumulet.services.network.standard import TagRow, json_text, standard
from cumulet.services.network.stirring import depart, stir
from cumulet.services.network.subnets.row import AddressRow, SubnetRow
from cumulet.services.network.trunks.row import show_trunk, sub_ports_of


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


async def make(room: Network, tx: Transaction, network: NetworkRow, new: NewPort, id: str = "") -> PortRow:
    """Insert a port with its MAC, addresses and groups."""
    columns = standard(msgspec.structs.asdict(new), room.clock, id)
    mac = await _mac(room, tx, network.id, new.mac)
    given = await addressing.give(
        room,
        tx,
        network_id=network.id,
        port_id=columns["id"],
        mac=mac,
        device_owner=new.device_owner,
        wanted=new.addresses,
        host=new.host,
    )
    waits = network.routed and new.addresses is None and not given
    security = network.port_security if new.port_security is None else new.port_security
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
        port_security=security,
        fixed_ips=addressing.text_of(given),
        groups=json_text(sorted(set(new.groups))),
        pairs=json_text(_pairs(new.pairs, mac)),
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
    await _insert(tx, row, asked_for=bool(new.mac))
    await tx.insert_all(PortGroupRow(row.id, group) for group in sorted(set(new.groups)))
    if row.host:
        await stir(tx, NetworkRow, "network", [network.id])
        await stir_groups(tx, new.groups)
        tx.wake("port", row.id)
    if row.device_id:
        tx.wake("device", row.device_id)
    return row


async def _mac(room: Network, tx: Transaction, network_id: str, asked: str) -> str:
    mac = asked or addressing.new_mac(room)
    if asked and await tx.get(PortRow, network_id=network_id, mac=asked):
        raise _mac_taken(asked, network_id)
    return mac


def _mac_taken(mac: str, network_id: str) -> MacAddressInUse:
    return MacAddressInUse(f"Unable to complete operation for network {network_id}. The mac address {mac} is in use.")


async def _insert(tx: Transaction, row: PortRow, *, asked_for: bool) -> None:
    try:
        await tx.insert(row)
    except Duplicate as taken:
        if taken.index == "network_ports_mac" and asked_for:
            raise _mac_taken(row.mac, row.network_id) from taken
        raise Collision(taken.index) from taken


async def change(room: Network, tx: Transaction, row: PortRow, **changes: Any) -> PortRow:
    """Write changed columns of a port, its status with them, and tell everybody whom it concerns.

    `addresses`, `group_ids` and `pair_list` may be given instead of their columns.
    """
    network = await tx.get(NetworkRow, id=row.network_id)
    if network is None:
        raise NetworkNotFound(f"Network {row.network_id} could not be found.")
    before = row
    if "mac" in changes and changes["mac"] != row.mac:
        await _mac(room, tx, row.network_id, changes["mac"])
    mac = changes.get("mac", row.mac)
    if "pair_list" in changes:
        changes["pairs"] = json_text(_pairs(changes.pop("pair_list"), mac))
    host = changes.get("host", row.host)
    wanted = changes.pop("addresses", None)
    if wanted is None and network.routed and host and host != row.host and "network:" not in row.device_owner:
        changes |= await _arrive(room, tx, row, host)
    if wanted is not None:
        given = await addressing.regive(
            room,
            tx,
            network_id=row.network_id,
            port_id=row.id,
            mac=mac,
            device_owner=changes.get("device_owner", row.device_owner),
            before=addressing.given_of(row.fixed_ips),
            wanted=wanted,
            host=host,
        )
        changes["ip_allocation"] = "immediate" if given else "none"
        changes["fixed_ips"] = addressing.text_of(given)
        kept = {has.ip_address for has in given}
        await forget_addresses(tx, row.id, kept)
        await forget_port(tx, row.id, kept)
    group_ids: Collection[str] | None = changes.pop("group_ids", None)
    if group_ids is not None:
        changes["groups"] = json_text(sorted(set(group_ids)))
        if changes["groups"] != row.groups:
            await tx.delete(PortGroupRow, port_id=row.id)
            await tx.insert_all(PortGroupRow(row.id, group) for group in sorted(set(group_ids)))
    if {"fixed_ips", "dns_name"} & set(changes):
        name = changes.get("dns_name", row.dns_name)
        now = addressing.given_of(changes.get("fixed_ips", row.fixed_ips))
        changes["dns_assignment"] = dns_assignment(room, network, name, now)
    changed = {name: value for name, value in changes.items() if getattr(row, name) != value}
    if not changed:
        return row
    if {"host", "device_id"} & set(changed):
        # What was given to it was given to that server, on that node.
        changed["allocation"] = changes.get("allocation", "{}")
    if "host" in changed:
        # Where it was made before it came, it is up at once.
        prepared = await tx.get(BindingRow, port_id=row.id, host=changed["host"])
        changed["up"] = prepared is not None and prepared.ready
        await tx.delete(BindingRow, port_id=row.id, host=changed["host"])
    if set(changed) & OF_THE_REQUEST:
        changed["resource_request"] = await request_of(tx, msgspec.structs.replace(row, **changed), network)
    changed |= {"updated_at": room.clock.now(), "revision": row.revision + 1}
    if set(changed) & OF_THE_SPEC:
        changed |= {"generation": row.generation + 1, "unsettled": True}
    row = msgspec.structs.replace(row, **changed)
    changed["status"] = row.status = status_of(row)
    try:
        await tx.update(PortRow, {"id": row.id}, **changed)
    except Duplicate as taken:
        raise _mac_taken(row.mac, row.network_id) from taken
    await show_port(tx, row)
    if "host" in changed:
        await follow_port(tx, row)
    if row.trunk_id and {"host", "mac", "status"} & set(changed):
        await _keep_together(room, tx, row)
    await tell(tx, before, row, set(changed))
    return row


async def _arrive(room: Network, tx: Transaction, row: PortRow, host: str) -> dict[str, Any]:
    """What its node means for a port's addresses: if it waited for them they are given, else they must be of use."""
    has = addressing.given_of(row.fixed_ips)
    wanted = None if row.ip_allocation == "deferred" else [Wanted(one.subnet_id, one.ip_address) for one in has]
    if wanted is not None:
        subnets = await tx.find(SubnetRow, network_id=row.network_id)
        await addressing.refuse_elsewhere(tx, row.network_id, subnets, wanted, host)
        return {}
    given = await addressing.give(
        room,
        tx,
        network_id=row.network_id,
        port_id=row.id,
        mac=row.mac,
        device_owner=row.device_owner,
        wanted=None,
        host=host,
    )
    return {"fixed_ips": addressing.text_of(given), "ip_allocation": "immediate"}


async def _keep_together(room: Network, tx: Transaction, row: PortRow) -> None:
    """The sub-ports of a trunk live where its own port does, and it shows what they are."""
    if row.device_owner != SUB_PORT:
        for port in await sub_ports_of(tx, row.trunk_id):
            await change(room, tx, port, host=row.host)
    await show_trunk(tx, row.trunk_id)


OF_THE_SPEC = {
    "mac",
    "admin_up",
    "device_id",
    "device_owner",
    "host",
    "port_security",
    "fixed_ips",
    "groups",
    "pairs",
    "dhcp_options",
    "dns_name",
    "qos_policy_id",
}
"""Columns that the order to the nodes is made of."""


OF_THE_REQUEST = {"qos_policy_id", "vnic_type", "device_owner"}
"""Columns that decide what it asks of its node."""


async def tell(tx: Transaction, before: PortRow, row: PortRow, changed: Collection[str]) -> None:
    """Stir what depends on a port that changed."""
    if "generation" in changed:
        tx.wake("port", row.id)
    if "host" in changed or ("admin_up" in changed and row.device_owner == DHCP):
        await stir(tx, NetworkRow, "network", [row.network_id])
    if {"host", "groups", "fixed_ips", "pairs"} & set(changed) and (before.host or row.host):
        groups = {*msgspec.json.decode(before.groups), *msgspec.json.decode(row.groups)}
        await stir_groups(tx, groups)
    for device in {before.device_id, row.device_id} - {""}:
        tx.wake("device", device)


async def erase(room: Network, tx: Transaction, row: PortRow) -> None:
    """Delete a port with its addresses and memberships; nodes are told later."""
    if not await tx.delete(PortRow, id=row.id):
        return
    await forget_addresses(tx, row.id)
    await forget_port(tx, row.id)
    await tx.delete(AddressRow, port_id=row.id)
    await tx.delete(PortGroupRow, port_id=row.id)
    await tx.delete(TagRow, resource_id=row.id)
    prepared = await tx.delete(BindingRow, port_id=row.id)
    await tx.delete(LogRow, port_id=row.id)
    if row.counted:
        await room.quota.give_back(tx, row.project_id, port=1)
    if row.host or prepared:
        await depart(tx, "port", row.id)
        await stir(tx, NetworkRow, "network", [row.network_id])
        await stir_groups(tx, msgspec.json.decode(row.groups))
    if row.device_id:
        tx.wake("device", row.device_id)


def dns_assignment(room: Network, network: NetworkRow, name: str, given: Sequence[Given]) -> str:
    """The names under which a port's addresses are known, as the view shows them."""
    domain = network.dns_domain or room.dns_domain
    entries = []
    for address in given:
        host = name or f"host-{address.ip_address.replace('.', '-').replace(':', '-')}"
        entries.append({"hostname": host, "ip_address": address.ip_address, "fqdn": f"{host}.{domain.rstrip('.')}."})
    return json_text(entries)


def _pairs(pairs: Sequence[dict[str, str]], mac: str) -> list[dict[str, str]]:
    shown: list[dict[str, str]] = []
    for pair in pairs:
        entry = {"ip_address": pair["ip_address"], "mac_address": pair.get("mac_address") or mac}
        if entry in shown:
            raise InvalidInput(
                f"Request contains duplicate address pair: mac_address {entry['mac_address']} ip_address "
                f"{entry['ip_address']}."
            )
        shown.append(entry)
    return shown


async def ensure_dhcp_port(room: Network, tx: Transaction, network: NetworkRow, subnet_ids: Sequence[str]) -> None:
    """Give the network's DHCP port an address in each of these subnets; without any, the port goes."""
    device = f"dhcp{DHCP_DEVICE}-{network.id}"
    port = await tx.get(PortRow, network_id=network.id, device_id=device)
    wanted = [Wanted(subnet_id) for subnet_id in subnet_ids]
    if port is None:
        if wanted:
            new = NewPort(
                project_id=network.project_id,
                device_id=device,
                device_owner=DHCP,
                addresses=wanted,
                port_security=False,
                counted=False,
            )
            port = await make(room, tx, network, new)
            await tx.update(NetworkRow, {"id": network.id}, dhcp_mac=port.mac)
    elif wanted:
        await change(room, tx, port, addresses=wanted)
    else:
        await erase(room, tx, port)
        await tx.update(NetworkRow, {"id": network.id}, dhcp_mac="")


DHCP_DEVICE = "6d0c8a3e-1f0b-5c7e-9a44-7b1f5f7d2c10"
"""Stands where the real service has the id of a DHCP agent's host; here every node answers for its own guests."""
