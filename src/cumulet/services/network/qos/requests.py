"""What a port asks of its node: a share of a wire, and of the node's own speed with packets. Placement's words."""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable

import msgspec

from cumulet.core.db import Transaction
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.ports.row import PortRow
from cumulet.services.network.qos.kinds import ANY, LEAST_BANDWIDTH, LEAST_PACKETS
from cumulet.services.network.qos.row import QosRuleRow
from cumulet.services.network.standard import json_text

NOTHING = "null"
TUNNELS = "CUSTOM_NETWORK_TUNNEL_PROVIDER"
CLASSES = {
    (LEAST_BANDWIDTH, "egress"): "NET_BW_EGR_KILOBIT_PER_SEC",
    (LEAST_BANDWIDTH, "ingress"): "NET_BW_IGR_KILOBIT_PER_SEC",
    (LEAST_PACKETS, ANY): "NET_PACKET_RATE_KILOPACKET_PER_SEC",
    (LEAST_PACKETS, "egress"): "NET_PACKET_RATE_EGR_KILOPACKET_PER_SEC",
    (LEAST_PACKETS, "ingress"): "NET_PACKET_RATE_IGR_KILOPACKET_PER_SEC",
}


class Group(msgspec.Struct):
    """What one provider is to give."""

    id: str
    required: list[str]
    resources: dict[str, int]

    @property
    def kind(self) -> str:
        return LEAST_BANDWIDTH if any(name.startswith("NET_BW_") for name in self.resources) else LEAST_PACKETS


class ResourceRequest(msgspec.Struct):
    """All that a port asks for. `same_subtree`: of one agent and what is below it."""

    request_groups: list[Group]
    same_subtree: list[str]


_request = msgspec.json.Decoder(ResourceRequest)
_allocation = msgspec.json.Decoder(dict[str, str])


def request_in(text: str) -> ResourceRequest | None:
    """What a port asks for, as its row remembers it."""
    return None if text == NOTHING else _request.decode(text)


def allocation_of(port: PortRow) -> dict[str, str]:
    """Which provider gives a port what: group → provider."""
    return {} if port.allocation == "{}" else _allocation.decode(port.allocation)


def wire_trait(network: NetworkRow) -> str:
    """The quality of a provider that gives bandwidth to a network."""
    if network.network_type in ("vlan", "flat"):
        return physical_trait(network.physical_network)
    return TUNNELS if network.network_type == "vxlan" else ""


def physical_trait(physical_network: str) -> str:
    return f"CUSTOM_PHYSNET_{_word(physical_network)}"


def vnic_trait(vnic_type: str) -> str:
    return f"CUSTOM_VNIC_TYPE_{_word(vnic_type)}"


def _word(text: str) -> str:
    return re.sub(r"[^A-Z0-9_]", "_", text.upper())


def request_for(port_id: str, vnic_type: str, network: NetworkRow, rules: Iterable[QosRuleRow]) -> str:
    """The request as its row keeps it, and as its view shows it. A group's id says whose rules it is made of, so that
    a port with other rules has other groups."""
    groups = []
    wire = wire_trait(network)
    promised = [rule for rule in rules if (rule.type, rule.direction) in CLASSES and rule.rate]
    for kind, traits in ((LEAST_BANDWIDTH, [wire]), (LEAST_PACKETS, [])):
        own = sorted((rule for rule in promised if rule.type == kind), key=lambda rule: rule.id)
        if own and all(traits):
            id = uuid.uuid5(uuid.UUID(port_id), ",".join(rule.id for rule in own))
            resources = {CLASSES[rule.type, rule.direction]: rule.rate for rule in own}
            groups.append(Group(str(id), [*traits, vnic_trait(vnic_type)], resources))
    if not groups:
        return NOTHING
    return json_text(ResourceRequest(groups, [group.id for group in groups]))


async def rules_for(tx: Transaction, own_policy: str, network_policy: str, device_owner: str) -> list[QosRuleRow]:
    """The rules of the policy in force: the port's own, or else its network's; not for the service's own ports."""
    policy = own_policy or ("" if device_owner.startswith("network:") else network_policy)
    return await tx.find(QosRuleRow, policy_id=policy) if policy else []


async def request_of(tx: Transaction, port: PortRow, network: NetworkRow) -> str:
    rules = await rules_for(tx, port.qos_policy_id, port.qos_network_policy_id, port.device_owner)
    return request_for(port.id, port.vnic_type, network, rules) if rules else NOTHING


async def renew(tx: Transaction, ports: Iterable[PortRow]) -> None:
    """Bring what these ports ask for in line with their policies."""
    networks: dict[str, NetworkRow | None] = {}
    for port in ports:
        if port.network_id not in networks:
            networks[port.network_id] = await tx.get(NetworkRow, id=port.network_id)
        network = networks[port.network_id]
        text = await request_of(tx, port, network) if network else NOTHING
        if text != port.resource_request:
            await tx.update(PortRow, {"id": port.id}, resource_request=text)
