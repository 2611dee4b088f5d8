"""The network service's door: how compute finds, makes, binds and frees the ports of servers.

Topic woken: `device` with a device's id, when anything about its ports changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from cumulet.contracts.networks import Metered
from cumulet.core.access.caller import Caller
from cumulet.core.db import Query, Transaction
from cumulet.core.web.within import Within
from cumulet.services.network import rbac
from cumulet.services.network.errors import InvalidInput, NotAuthorized
from cumulet.services.network.floating_ips.row import FloatingIpRow, release_port
from cumulet.services.network.metering.row import LabelRow
from cumulet.services.network.networks.errors import NetworkAmbiguous, NetworkNotFound
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports import operations
from cumulet.services.network.ports.addressing import Wanted, given_of
from cumulet.services.network.ports.errors import IpAddressInUse, PortInUse, PortNotFound
from cumulet.services.network.ports.operations import NewPort
from cumulet.services.network.ports.prepared import give_up, prepare
from cumulet.services.network.ports.row import BindingRow, PortRow
from cumulet.services.network.qos.kinds import GUARANTEES
from cumulet.services.network.qos.requests import NOTHING, ResourceRequest, allocation_of, request_for, request_in
from cumulet.services.network.qos.row import QosRuleRow
from cumulet.services.network.room import Network
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.security_groups.errors import SecurityGroupNotFound
from cumulet.services.network.security_groups.groups import default_group
from cumulet.services.network.security_groups.row import SecurityGroupRow
from cumulet.services.network.service import service
from cumulet.services.network.standard import json_text
from cumulet.services.network.subnets.row import AddressRow, SubnetRow

__all__ = ["AddressView", "MeterView", "NetworkDoor", "NicRequest", "NicView", "ResourceRequest"]


class NicRequest(msgspec.Struct, kw_only=True):
    """How a server is to be connected: to a network, or by a port that its user made."""

    network_id: str = ""
    port_id: str = ""
    fixed_ip: str = ""
    tag: str = ""
    asks: bool = False
    """It will ask for shares of what its node can promise."""


class AddressView(msgspec.Struct, kw_only=True):
    """A fixed address with all that a guest is told of its subnet."""

    ip: str
    version: int
    subnet_id: str
    cidr: str
    gateway: str
    dns: list[str]
    routes: list[tuple[str, str]]
    dhcp: bool


class NicView(msgspec.Struct, kw_only=True):
    """A server's port, as compute shows and orders it."""

    port_id: str
    network_id: str
    network_name: str
    mac: str
    addresses: list[AddressView]
    floating: list[tuple[str, str]]
    """(fixed, floating)."""
    host: str
    up: bool
    """Wired on that host."""
    prepared: list[str]
    """Hosts on which it is made too."""
    status: str
    groups: list[str]
    """Names."""
    mtu: int
    preserve: bool
    """It was given by the user and outlives the server."""
    vnic_type: str
    tag: str
    request: ResourceRequest | None = None
    """What it asks of its node."""
    allocation: dict[str, str] = {}
    """Which provider of that node gives it what: group of the request → provider."""


class MeterView(msgspec.Struct, kw_only=True):
    """What a label has counted at one router since its counter was made there. It begins again on another node."""

    label_id: str
    label_name: str
    project_id: str
    """The label's owner."""
    router_id: str
    host: str
    packets: int
    bytes: int


class NetworkDoor:
    """What other rooms may ask of the network service."""

    def __init__(self, room: Network) -> None:
        self._room = room

    @cached_property
    def api(self) -> Within:
        """This service's whole API, for rooms that pass a caller's request on."""
        return Within(service(), self._room)

    # ---- admission -------------------------------------------------------------------------------------------------

    async def check(
        self,
        caller: Caller,
        requests: Sequence[NicRequest] | Literal["auto", "none"],
        groups: Sequence[str] = (),
    ) -> list[NicRequest]:
        """The requests if all can be met, with networks filled in. Raises in this service's words."""
        async with self._room.database.read() as tx:
            await self._group_ids(tx, caller, groups)
            if requests == "none":
                return []
            if requests == "auto" or not requests:
                return await self._by_itself(tx, caller)
            assert not isinstance(requests, str)
            named = [request.port_id for request in requests if request.port_id]
            if len(named) != len(set(named)):
                raise PortInUse("The same port was given twice.")
            return [await self._checked(tx, caller, request) for request in requests]

    async def _checked(self, tx: Transaction, caller: Caller, request: NicRequest) -> NicRequest:
        if request.port_id:
            port = await tx.get(PortRow, id=request.port_id)
            if port is None or (port.project_id != caller.project_id and not caller.is_admin):
                raise PortNotFound(f"Port {request.port_id} could not be found.")
            if port.device_id:
                raise PortInUse(f"Port {port.id} is still in use.")
            if not given_of(port.fixed_ips):
                raise PortInUse(
                    f"Port {port.id} requires a FixedIP in order to be used.", type_name="PortRequiresFixedIP"
                )
            asks = port.resource_request != NOTHING
            return NicRequest(network_id=port.network_id, port_id=port.id, tag=request.tag, asks=asks)
        network = await tx.get(NetworkRow, id=request.network_id)
        if network is None or not _usable(caller, network):
            raise NetworkNotFound(f"Network {request.network_id} could not be found.")
        if network.external and not _owns(caller, network) and "*" not in network.shared_with:
            raise NotAuthorized(
                f"It is not allowed to create an interface on external network {network.id}",
                type_name="ExternalNetworkAttachForbidden",
            )
        if network.subnets == "[]" and network.port_security:
            raise InvalidInput(
                f"Network {network.id} requires a subnet in order to boot instances on.",
                type_name="NetworkRequiresSubnet",
            )
        if request.fixed_ip:
            await self._refuse_taken(tx, network, request.fixed_ip)
        return msgspec.structs.replace(request, asks=await _promises(tx, network))

    async def _refuse_taken(self, tx: Transaction, network: NetworkRow, ip: str) -> None:
        used = await tx.find(AddressRow, ip=ip, network_id=network.id)
        if used:
            raise IpAddressInUse(f"Fixed IP address {ip} is already in use by port {used[0].port_id}.")

    async def _by_itself(self, tx: Transaction, caller: Caller) -> list[NicRequest]:
        """The only network that the project has, or else the only one shared with it; none is well."""
        own = [n for n in await tx.find(NetworkRow, project_id=caller.project_id) if n.subnets != "[]"]
        usable = [network for network in own if not network.external]
        if not usable:
            shared = await tx.rows(NetworkRow, _SHARED, {"caller_project": caller.project_id})
            usable = [network for network in shared if network.subnets != "[]" and not network.external]
        if len(usable) > 1:
            raise NetworkAmbiguous(
                "Multiple possible networks found, use a Network ID to be more specific.",
            )
        return [NicRequest(network_id=network.id, asks=await _promises(tx, network)) for network in usable]

    async def _group_ids(self, tx: Transaction, caller: Caller, groups: Sequence[str]) -> list[str]:
        """Ids of groups given by name or id. Raises SecurityGroupNotFound, NetworkAmbiguous."""
        if not groups:
            return []
        own = await tx.find(SecurityGroupRow, project_id=caller.project_id)
        shared = await tx.rows(SecurityGroupRow, _SHARED_GROUPS, {"caller_project": caller.project_id})
        known = {row.id: row for row in [*own, *shared]}
        return [_named(name, known) for name in dict.fromkeys(groups)]

    async def pending(self, requests: Mapping[str, NicRequest]) -> dict[str, ResourceRequest]:
        """What ports will ask of their node that are not made or adopted yet, by the key of each."""
        found: dict[str, ResourceRequest] = {}
        async with self._room.database.read() as tx:
            for key, request in requests.items():
                if request.port_id:
                    port = await tx.get(PortRow, id=request.port_id)
                    asked = request_in(port.resource_request) if port else None
                else:
                    network = await tx.get(NetworkRow, id=request.network_id)
                    rules = await tx.find(QosRuleRow, policy_id=network.qos_policy_id) if network else []
                    asked = request_in(request_for(key, "normal", network, rules)) if network else None
                if asked is not None:
                    found[key] = asked
        return found

    # ---- connecting ------------------------------------------------------------------------------------------------

    async def plug(
        self,
        device_id: str,
        device_owner: str,
        project_id: str,
        request: NicRequest,
        *,
        key: str,
        groups: Sequence[str] = (),
        hostname: str = "",
        zone: str = "",
    ) -> NicView:
        """Make or adopt the port of a request; the same key finds what was done before."""
        room = self._room
        caller = Caller(user_id="", project_id=project_id)
        owner = device_owner or f"compute:{zone or 'nova'}"

        async def write(tx: Transaction) -> str:
            done = await tx.get(PortRow, plug_key=key)
            if done:
                return done.id
            if request.port_id:
                return await self._adopt(tx, request, device_id, owner, hostname, key)
            network = await tx.get(NetworkRow, id=request.network_id)
            if network is None:
                raise NetworkNotFound(f"Network {request.network_id} could not be found.")
            ids = await self._group_ids(tx, caller, groups)
            if not ids and network.port_security:
                ids = [(await default_group(room, tx, project_id)).id]
            await room.quota.take(tx, project_id, port=1)
            new = NewPort(
                project_id=project_id,
                device_id=device_id,
                device_owner=owner,
                addresses=[Wanted(ip=request.fixed_ip)] if request.fixed_ip else None,
                groups=ids if network.port_security else (),
                dns_name=_label(hostname),
                plug_key=key,
                preserve=False,
                nic_tag=request.tag,
            )
            return (await operations.make(room, tx, network, new)).id

        port_id = await room.database.write(write)
        return next(nic for nic in await self.nics(device_id) if nic.port_id == port_id)

    async def _adopt(
        self, tx: Transaction, request: NicRequest, device_id: str, owner: str, hostname: str, key: str
    ) -> str:
        port = await tx.get(PortRow, id=request.port_id)
        if port is None:
            raise PortNotFound(f"Port {request.port_id} could not be found.")
        if port.device_id not in ("", device_id):
            raise PortInUse(f"Port {port.id} is still in use.")
        changes: dict[str, Any] = {
            "device_id": device_id,
            "device_owner": owner,
            "plug_key": key,
            "nic_tag": request.tag,
        }
        if not port.dns_name and hostname:
            changes["dns_name"] = _label(hostname)
        await operations.change(self._room, tx, port, **changes)
        return port.id

    async def bind(self, port_id: str, host: str, allocation: Mapping[str, str] | None = None) -> None:
        """The port lives on this node from now on: its network, groups and the port itself are ordered there.

        `allocation`: which provider of the node gives it what it asks for.
        """
        await self._set_host(port_id, host, only_from=None, allocation=json_text(dict(allocation or {})))

    async def allot(self, port_id: str, allocation: Mapping[str, str]) -> None:
        """What a bound port asks for is given by these from now on."""
        text = json_text(dict(allocation))
        await self._room.database.write(lambda tx: tx.update(PortRow, {"id": port_id}, allocation=text))

    async def unbind(self, port_id: str, host: str) -> None:
        """The port no longer lives on this node, unless it moved on meanwhile."""
        await self._set_host(port_id, "", only_from=host)

    async def prepare(self, port_id: str, host: str) -> None:
        """The port is made on this node too, where its server will be; `bind` then moves it at once."""

        async def write(tx: Transaction) -> None:
            port = await tx.get(PortRow, id=port_id)
            if port is not None and port.host != host:
                await prepare(tx, port, host)

        await self._room.database.write(write)

    async def give_up(self, port_id: str, host: str) -> None:
        """The port is no longer made on this node, unless it lives there by now."""

        async def write(tx: Transaction) -> None:
            port = await tx.get(PortRow, id=port_id)
            if port is not None:
                await give_up(tx, port, host)

        await self._room.database.write(write)

    async def _set_host(self, port_id: str, host: str, only_from: str | None, allocation: str = "{}") -> None:
        async def write(tx: Transaction) -> None:
            port = await tx.get(PortRow, id=port_id)
            if port is None:
                if only_from is None:
                    raise PortNotFound(f"Port {port_id} could not be found.")
                return
            if only_from is None or port.host == only_from:
                await operations.change(self._room, tx, port, host=host, allocation=allocation)

        await self._room.database.write(write)

    async def unplug(self, device_id: str, port_id: str) -> None:
        """Delete a port that plug made; free one that was given or became a trunk's. Nothing happens when it is not
        this device's."""
        room = self._room

        async def write(tx: Transaction) -> None:
            port = await tx.get(PortRow, id=port_id)
            if port is None or port.device_id != device_id:
                return
            if port.preserve or port.trunk_id:
                free = {"device_id": "", "device_owner": "", "host": "", "plug_key": None, "nic_tag": ""}
                await operations.change(room, tx, port, **free, dns_name="")
            else:
                await release_port(room, tx, port.id)
                await operations.erase(room, tx, port)

        await room.database.write(write)

    async def set_groups(self, port_id: str, groups: Sequence[str]) -> None:
        """Put a port into just these groups, given by name or id among those of the port's project."""

        async def write(tx: Transaction) -> None:
            port = await tx.get(PortRow, id=port_id)
            if port is not None:
                owner = Caller(user_id="", project_id=port.project_id)
                await operations.change(self._room, tx, port, group_ids=await self._group_ids(tx, owner, groups))

        await self._room.database.write(write)

    # ---- looking ---------------------------------------------------------------------------------------------------

    async def nics(self, device_id: str) -> list[NicView]:
        """The ports of a device, in the order in which it got them."""
        return (await self.nics_of([device_id]))[device_id]

    async def nics_of(self, device_ids: Sequence[str]) -> dict[str, list[NicView]]:
        """The ports of several devices, in a constant number of queries."""
        found: dict[str, list[NicView]] = {device: [] for device in device_ids}
        if not found:
            return found
        async with self._room.database.read() as tx:
            ports = await tx.find(PortRow, device_id=list(found), order_by="created_at")
            if not ports:
                return found
            networks = {n.id: n for n in await tx.find(NetworkRow, id=sorted({p.network_id for p in ports}))}
            subnets = {s.id: s for s in await tx.find(SubnetRow, network_id=sorted(networks))}
            group_ids = sorted({id for port in ports for id in msgspec.json.decode(port.groups)})
            groups = {g.id: g.name for g in await tx.find(SecurityGroupRow, id=group_ids)} if group_ids else {}
            floating = await tx.find(FloatingIpRow, port_id=[port.id for port in ports])
            prepared = await tx.find(BindingRow, port_id=[port.id for port in ports])
        for port in ports:
            leading = [(row.fixed, row.address) for row in floating if row.port_id == port.id]
            elsewhere = [row.host for row in prepared if row.port_id == port.id]
            found[port.device_id].append(_view(port, networks[port.network_id], subnets, groups, leading, elsewhere))
        return found

    async def metered(self, router_id: str) -> list[MeterView]:
        """What each label counts at this router now; nothing while no node runs it. Raises NodeSilent."""
        async with self._room.database.read() as tx:
            router = await tx.get(RouterRow, id=router_id)
            labels = {label.id: label for label in await tx.find(LabelRow)} if router and router.host else {}
        if router is None or not labels:
            return []
        answer = await self._room.fleet.ask(router.host, "meters", router=router_id)
        return [
            MeterView(
                label_id=label.id,
                label_name=label.name,
                project_id=label.project_id,
                router_id=router_id,
                host=router.host,
                packets=counted.packets,
                bytes=counted.bytes,
            )
            for counted in msgspec.json.decode(answer, type=list[Metered])
            if (label := labels.get(counted.id))
        ]


_SHARED = Query(sa.select(NetworkRow.table).where(NetworkRow.c.id.in_(rbac.shared_ids("network"))))
_SHARED_GROUPS = Query(
    sa.select(SecurityGroupRow.table).where(SecurityGroupRow.c.id.in_(rbac.shared_ids("security_group")))
)


def _owns(caller: Caller, network: NetworkRow) -> bool:
    return caller.is_admin or network.project_id == caller.project_id


def _usable(caller: Caller, network: NetworkRow) -> bool:
    return _owns(caller, network) or network.external or rbac.shared_with(network.shared_with, caller.project_id)


async def _promises(tx: Transaction, network: NetworkRow) -> bool:
    """Whether a new port there would ask something of its node."""
    rules = await tx.find(QosRuleRow, policy_id=network.qos_policy_id) if network.qos_policy_id else []
    return any(rule.type in GUARANTEES for rule in rules)


def _named(name: str, known: dict[str, SecurityGroupRow]) -> str:
    if name in known:
        return name
    found = [row.id for row in known.values() if row.name == name]
    if len(found) > 1:
        raise NetworkAmbiguous(
            f"Multiple security groups found matching '{name}'. Use an ID to be more specific.",
            type_name="NoUniqueMatch",
        )
    if not found:
        raise SecurityGroupNotFound(f"Security group {name} not found.")
    return found[0]


def _label(hostname: str) -> str:
    """A host's name as a DNS label; empty if it cannot be one."""
    label = hostname.partition(".")[0][:63].strip("-").lower()
    return label if label and all(c.isascii() and (c.isalnum() or c == "-") for c in label) else ""


def _view(
    port: PortRow,
    network: NetworkRow,
    subnets: dict[str, SubnetRow],
    groups: dict[str, str],
    floating: list[tuple[str, str]],
    prepared: list[str],
) -> NicView:
    return NicView(
        port_id=port.id,
        network_id=network.id,
        network_name=network.name,
        mac=port.mac,
        addresses=[_address(has.ip_address, subnets[has.subnet_id]) for has in given_of(port.fixed_ips)],
        floating=floating,
        host=port.host,
        up=port.up,
        prepared=prepared,
        status=port.status,
        groups=[groups[id] for id in msgspec.json.decode(port.groups) if id in groups],
        mtu=network.mtu,
        preserve=port.preserve,
        vnic_type=port.vnic_type,
        tag=port.nic_tag,
        request=request_in(port.resource_request),
        allocation=allocation_of(port),
    )


def _address(ip: str, subnet: SubnetRow) -> AddressView:
    return AddressView(
        ip=ip,
        version=subnet.version,
        subnet_id=subnet.id,
        cidr=subnet.cidr,
        gateway=subnet.gateway,
        dns=msgspec.json.decode(subnet.dns),
        routes=[(route["destination"], route["nexthop"]) for route in msgspec.json.decode(subnet.routes)],
        dhcp=subnet.dhcp,
    )
