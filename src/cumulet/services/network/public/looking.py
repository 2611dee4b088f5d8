"""What the network service tells of a server's ports, and of what labels have counted."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cumulet.contracts.networks import Metered
from cumulet.services.network.floating_ips.row import FloatingIpRow
from cumulet.services.network.metering.row import LabelRow
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports.addresses import given_of
from cumulet.services.network.ports.row import BindingRow, PortRow
from cumulet.services.network.public.part import Part
from cumulet.services.network.public.views import AddressView, MeterView, NicView
from cumulet.services.network.qos.requests import allocation_of, request_in
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.security_groups.row import SecurityGroupRow
from cumulet.services.network.subnets.row import SubnetRow


class Looking(Part):
    """What is read of the ports of servers."""

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
