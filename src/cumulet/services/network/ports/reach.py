"""Which addresses are of use on a node: where subnets belong to segments, those of segments that it carries."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

import msgspec

from cumulet.core.db import Transaction
from cumulet.services.network import ipam
from cumulet.services.network.errors import InvalidInput
from cumulet.services.network.networks.carrying import HostWiresRow, reached, segments_of, wires_of
from cumulet.services.network.ports.addresses import Wanted
from cumulet.services.network.ports.errors import (
    HostNotCompatibleWithFixedIps,
    HostNotConnectedToAnySegment,
    InvalidIpForNetwork,
)
from cumulet.services.network.subnets.row import SubnetRow


async def is_there(tx: Transaction, subnet: SubnetRow, host: str) -> bool:
    """Whether a guest on this node may have an address of the subnet."""
    return subnet in (await _there(tx, subnet.network_id, [subnet], host) or [])


async def unreached(tx: Transaction, network_id: str, wanted: Sequence[Wanted]) -> dict[str, str]:
    """The nodes that cannot carry a port of this network with these addresses, and why. A node that names no wires is
    not among them: it makes every network by itself."""
    subnets = await tx.find(SubnetRow, network_id=network_id)
    if not any(subnet.segment_id for subnet in subnets):
        return {}
    segments = await segments_of(tx, network_id)
    found: dict[str, str] = {}
    for row in await tx.find(HostWiresRow):
        here = {segment.id for segment in reached(segments, msgspec.json.decode(row.wires))[:1]}
        there = [subnet for subnet in subnets if not subnet.segment_id or subnet.segment_id in here]
        if not there:
            found[row.host] = f"it has no wire to a segment of network {network_id}"
        elif any(subnet_of(subnets, wish, network_id) not in there for wish in wanted):
            found[row.host] = f"it does not carry the segment of network {network_id} of which its port has an address"
    return found


async def _there(tx: Transaction, network_id: str, subnets: Sequence[SubnetRow], host: str) -> list[SubnetRow] | None:
    if not any(subnet.segment_id for subnet in subnets):
        return list(subnets)
    if not host:
        return None
    wires = await wires_of(tx, [host])
    here = [segment.id for segment in reached(await segments_of(tx, network_id), wires.get(host, []))[:1]]
    return [subnet for subnet in subnets if not subnet.segment_id or subnet.segment_id in here]


async def refuse_elsewhere(
    tx: Transaction, network_id: str, subnets: Sequence[SubnetRow], wanted: Sequence[Wanted], host: str
) -> list[SubnetRow] | None:
    """The subnets whose addresses are of use on a node; None: no node is chosen yet.

    Raises where there are none, or where addresses that are wanted are not of them.
    """
    there = await _there(tx, network_id, subnets, host)
    if there is None:
        return None
    if subnets and not there:
        raise HostNotConnectedToAnySegment(
            f"Host {host} is not connected to any segment on routed provider network '{subnets[0].network_id}'. It "
            "should be connected to one."
        )
    ids = {subnet.id for subnet in there}
    for wish in wanted:
        if subnet_of(subnets, wish, network_id).id not in ids:
            raise HostNotCompatibleWithFixedIps(
                f"Host {host} is not connected to a segment where the existing fixed_ips on port function given the "
                "routed network topology."
            )
    return there


def subnet_of(subnets: Sequence[SubnetRow], wish: Wanted, network_id: str) -> SubnetRow:
    """The subnet of a network that a wanted address is of. Raises."""
    for subnet in subnets:
        if wish.subnet_id:
            if subnet.id == wish.subnet_id:
                return subnet
        elif ipaddress.ip_address(wish.ip) in ipam.network_of(subnet.cidr):
            return subnet
    if wish.subnet_id:
        raise InvalidInput(
            f"Failed to create port on network {network_id}, because fixed_ips included invalid subnet {wish.subnet_id}"
        )
    raise InvalidIpForNetwork(f"IP address {wish.ip} is not a valid IP for any of the subnets on the network.")
