"""A router's ways out: its ports on external networks. The first is the one that older clients know."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import AnyObject, Bool, ListOf, Obj, Uuid
from cumulet.services.network.attributes import clean
from cumulet.services.network.errors import HTTPBadRequest, InvalidInput
from cumulet.services.network.floating_ips.row import FloatingIpRow
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.networks.using import usable_network
from cumulet.services.network.ports import operations
from cumulet.services.network.ports.addresses import Wanted, given_of, wanted_addresses
from cumulet.services.network.ports.operations import NewPort
from cumulet.services.network.ports.row import GATEWAY, PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.routers.errors import RouterExternalGatewayInUseByFloatingIp
from cumulet.services.network.routers.legs import gateway_ports, legs_of, overlap
from cumulet.services.network.routers.proxying import refuse_gateway_in_use
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.standard import json_text
from cumulet.services.network.subnets.row import SubnetRow
from cumulet.services.network.wires import FixedIps

NO_GATEWAY: dict[str, Any] = {
    "gateway_port_id": "",
    "gateway_network_id": "",
    "gateway": "null",
    "gateways": "[]",
    "snat": True,
}
MOST_ASKED = 64
Asked = Obj(
    Field("network_id", Uuid, create=REQUIRED),
    Field("enable_snat", Bool.or_null(), create=OPTIONAL),
    Field("external_fixed_ips", FixedIps.or_null(), create=OPTIONAL),
    Field("qos_policy_id", Uuid.or_null(), create=OPTIONAL),
)


async def set_gateway(
    room: Network, tx: Transaction, call: Call, router: RouterRow, info: Mapping[str, Any] | None
) -> dict[str, Any]:
    """Give a router this as its first gateway, or no gateways at all; the columns of its row that changed."""
    ports = await gateway_ports(tx, router)
    if not info or not info.get("network_id"):
        await _take(room, tx, router, ports, left=[])
        return dict(NO_GATEWAY)
    network = await _external(tx, call, info["network_id"])
    first, rest = ports[:1], ports[1:]
    if first and first[0].network_id == network.id:
        port = await _readdress(room, tx, first[0], info)
    else:
        await _take(room, tx, router, first, left=rest)
        port = await _make(room, tx, router, network, info)
    await _refuse_overlap(tx, router, port)
    return gateway_columns([port, *rest], snat=_snat(router, [info]))


def asked_gateways(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The gateways in the body of a verb. Raises HTTPBadRequest."""
    inner = body.get("router")
    if not isinstance(inner, dict) or set(inner) != {"external_gateways"}:
        raise HTTPBadRequest("Unable to find 'router' with 'external_gateways' alone in request body")
    given = inner["external_gateways"]
    if given == {}:  # as some clients say that there are to be none
        return []
    found: list[dict[str, Any]] = clean(Field("external_gateways", ListOf(AnyObject, most=MOST_ASKED)), given)
    return [clean(Field("external_gateways", Asked), one) for one in found]


async def add_gateways(
    room: Network, tx: Transaction, call: Call, router: RouterRow, asked: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Give a router further gateways."""
    ports = await gateway_ports(tx, router)
    for info in asked:
        network = await _external(tx, call, info["network_id"])
        ports.append(await _make(room, tx, router, network, info))
        await _refuse_overlap(tx, router, ports[-1])
    return _columns(room, router, ports, asked)


async def remove_gateways(
    room: Network, tx: Transaction, router: RouterRow, asked: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Take gateways away: one in the network that is named, with an address that is named if any is."""
    ports = await gateway_ports(tx, router)
    gone = []
    for info in asked:
        found = next((port for port in ports if port not in gone and _is_meant(port, info)), None)
        if found is None:
            raise InvalidInput(
                f"Bad router request: Router {router.id} has no such gateway on network {info['network_id']}.",
                type_name="BadRequest",
            )
        gone.append(found)
    left = [port for port in ports if port not in gone]
    await _take(room, tx, router, gone, left=left)
    return _columns(room, router, left, ())


async def update_gateways(
    room: Network, tx: Transaction, call: Call, router: RouterRow, asked: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """Let a router have just these gateways; those that it has already stay, and get the addresses that are named."""
    ports = await gateway_ports(tx, router)
    kept: list[PortRow | None] = []
    for info in asked:
        kept.append(next((port for port in ports if port not in kept and _is_meant(port, info)), None))
    staying = [port for port in kept if port]
    await _take(room, tx, router, [port for port in ports if port not in staying], left=staying)
    after = []
    for info, port in zip(asked, kept, strict=True):
        if port is not None:
            after.append(await _readdress(room, tx, port, info))
        else:
            network = await _external(tx, call, info["network_id"])
            after.append(await _make(room, tx, router, network, info))
        await _refuse_overlap(tx, router, after[-1])
    return _columns(room, router, after, asked)


def _is_meant(port: PortRow, info: Mapping[str, Any]) -> bool:
    named = {entry.get("ip_address") for entry in info.get("external_fixed_ips") or ()} - {None}
    has = {address.ip_address for address in given_of(port.fixed_ips)}
    return port.network_id == info["network_id"] and (not named or bool(named & has))


async def _external(tx: Transaction, call: Call, network_id: str) -> NetworkRow:
    network = await usable_network(tx, call, network_id)
    if not network.external:
        raise InvalidInput(
            f"Bad router request: Network {network.id} is not an external network.", type_name="BadRequest"
        )
    return network


async def _make(
    room: Network, tx: Transaction, router: RouterRow, network: NetworkRow, info: Mapping[str, Any]
) -> PortRow:
    new = NewPort(
        project_id="",
        device_id=router.id,
        device_owner=GATEWAY,
        host=router.host,
        addresses=wanted_addresses(info.get("external_fixed_ips")),
        port_security=False,
    )
    return await operations.make(room, tx, network, new)


async def _readdress(room: Network, tx: Transaction, port: PortRow, info: Mapping[str, Any]) -> PortRow:
    wanted = wanted_addresses(info.get("external_fixed_ips"))
    if wanted is None:
        return port
    any_of_its = [Wanted(has.subnet_id) for has in given_of(port.fixed_ips)]
    return await operations.change(room, tx, port, addresses=wanted or any_of_its)


async def _take(
    room: Network, tx: Transaction, router: RouterRow, ports: Sequence[PortRow], left: Sequence[PortRow]
) -> None:
    """Take these gateways away, unless something needs one that is then not `left`."""
    networks = {port.network_id for port in ports} - {port.network_id for port in left}
    if await tx.find(FloatingIpRow, router_id=router.id, network_id=sorted(networks)) if networks else []:
        raise RouterExternalGatewayInUseByFloatingIp(
            f"Gateway cannot be updated for router {router.id}, since a gateway to external network "
            f"{min(networks)} is required by one or more floating IPs."
        )
    if any(port.id == router.gateway_port_id for port in ports):
        await refuse_gateway_in_use(tx, router)
    for port in ports:
        await operations.erase(room, tx, port)


def _columns(
    room: Network, router: RouterRow, ports: Sequence[PortRow], asked: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    if len(ports) > room.most_gateways:
        raise InvalidInput(
            f"Bad router request: A router has at most {room.most_gateways} gateways.", type_name="BadRequest"
        )
    return gateway_columns(ports, snat=_snat(router, asked)) if ports else dict(NO_GATEWAY)


def _snat(router: RouterRow, asked: Sequence[Mapping[str, Any]]) -> bool:
    """Whether guests leave under the gateway's address: all of a router's gateways are alike in that."""
    said = [info["enable_snat"] for info in asked if info.get("enable_snat") is not None]
    return bool(said[-1]) if said else router.snat


def gateway_columns(ports: Sequence[PortRow], *, snat: bool) -> dict[str, Any]:
    """What a router's row keeps of its gateways."""
    shown = [
        {
            "network_id": port.network_id,
            "external_fixed_ips": given_of(port.fixed_ips),
            "enable_snat": snat,
        }
        for port in ports
    ]
    return {
        "gateway_port_id": ports[0].id,
        "gateway_network_id": ports[0].network_id,
        "gateway": json_text(shown[0]),
        "gateways": json_text(shown),
        "snat": snat,
    }


async def _refuse_overlap(tx: Transaction, router: RouterRow, port: PortRow) -> None:
    legs = await legs_of(tx, router)
    ids = [has.subnet_id for has in given_of(port.fixed_ips)]
    mine = await tx.find(SubnetRow, id=ids) if ids else []
    other = overlap(mine, [subnet for leg in legs if leg.port.id != port.id for subnet in leg.subnets])
    if other:
        raise InvalidInput(
            f"Bad router request: Cidr of the gateway overlaps with cidr {other.cidr} of subnet {other.id}.",
            type_name="BadRequest",
        )
