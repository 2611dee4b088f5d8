"""What may be done with networks, whoever asks: made with the segments that carry them, and taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cumulet.core.db import Transaction
from cumulet.services.network import rbac
from cumulet.services.network.agents.exclusions import include
from cumulet.services.network.errors import InvalidInput, ResourceInUse
from cumulet.services.network.floating_ips.operations import erase_idle
from cumulet.services.network.networks.carrying import make_segments, most_mtu, shown
from cumulet.services.network.networks.errors import NetworkInUse
from cumulet.services.network.networks.row import NetworkHostRow, NetworkRow, SegmentRow
from cumulet.services.network.ports.operations import erase as erase_port
from cumulet.services.network.ports.row import DHCP, PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.standard import TagRow, json_text, standard
from cumulet.services.network.stirring import depart
from cumulet.services.network.subnets.operations import erase_subnet
from cumulet.services.network.subnets.row import SubnetRow


async def make(room: Network, tx: Transaction, wish: Mapping[str, Any], qos_policy: str = "") -> NetworkRow:
    """Insert a network and the segments that carry it."""
    columns = standard(wish, room.clock)
    segments = await make_segments(room, tx, columns["id"], columns["project_id"], wish)
    most = most_mtu(room, segments)
    row = NetworkRow(
        **columns,
        admin_up=wish.get("admin_state_up", True),
        status="ACTIVE",
        mtu=checked_mtu(wish.get("mtu") or most, most),
        external=wish.get("router:external", False),
        is_default=wish.get("is_default", False),
        shared_with=rbac.EVERYBODY if wish.get("shared") else "",
        port_security=wish.get("port_security_enabled", True),
        dns_domain=wish.get("dns_domain", ""),
        qos_policy_id=qos_policy,
        zone_hints=json_text(wish.get("availability_zone_hints", [])),
        subnets="[]",
        scope_v4="",
        scope_v6="",
        **shown(segments),
        routed=False,
        dhcp_mac="",
        generation=1,
        unsettled=False,
    )
    await refuse_second_default(tx, row)
    await tx.insert(row)
    for wanted, action in ((row.shared_with, rbac.SHARED), (row.external, rbac.EXTERNAL)):
        if wanted:
            await rbac.share(tx, "network", row.id, row.project_id, action, rbac.EVERYBODY)
    return row


def checked_mtu(wanted: int, most: int) -> int:
    """Bytes of the largest packet. Raises InvalidInput for more than all segments carry."""
    if wanted > most:
        raise InvalidInput(f"Requested MTU is too big, maximum is {most}")
    return wanted


async def refuse_second_default(tx: Transaction, row: NetworkRow) -> None:
    """Raise for a default network that is not external, or is not the only one."""
    if row.is_default and not row.external:
        raise InvalidInput("Only an external network can be the default one. Set router:external as well.")
    if row.is_default:
        others = [other.id for other in await tx.find(NetworkRow, is_default=True) if other.id != row.id]
        if others:
            raise ResourceInUse(
                f"A default external network already exists: {others[0]}.", type_name="DefaultExternalNetworkExists"
            )


async def erase(room: Network, tx: Transaction, row: NetworkRow) -> None:
    """Delete a network with all that hangs on it; nodes are told later. Raises NetworkInUse."""
    await erase_idle(room, tx, row.id)
    ports = await tx.find(PortRow, network_id=row.id)
    users = [port for port in ports if port.device_owner != DHCP]
    if users:
        raise NetworkInUse(
            f"Unable to complete operation on network {row.id}. There are one or more ports still in use on the "
            f"network, id for these ports is: {','.join(port.id for port in users[:20])}."
        )
    for port in ports:
        await erase_port(room, tx, port)
    for subnet in await tx.find(SubnetRow, network_id=row.id):
        await erase_subnet(room, tx, subnet)
    await tx.delete(SegmentRow, network_id=row.id)
    await tx.delete(NetworkHostRow, network_id=row.id)
    await rbac.unshare(room, tx, row.id)
    await include(tx, row.id)
    if await tx.delete(NetworkRow, id=row.id):
        await tx.delete(TagRow, resource_id=row.id)
        await room.quota.give_back(tx, row.project_id, network=1)
    await depart(tx, "network", row.id)
