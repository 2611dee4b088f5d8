"""The noun `network`: what a client sees and sends, and what may be done."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause, Filter
from cumulet.core.web.wire import Bool, Enum, Int, ListOf, Obj, Text, Uuid, parse_bool
from cumulet.services.network import rbac
from cumulet.services.network.agents.exclusions import include
from cumulet.services.network.errors import InvalidInput, ResourceInUse
from cumulet.services.network.facets import Facet, OrNull, Passed
from cumulet.services.network.floating_ips.operations import erase_idle
from cumulet.services.network.networks.carrying import make_segments, most_mtu, segments_of, shown
from cumulet.services.network.networks.errors import NetworkInUse, NetworkNotFound
from cumulet.services.network.networks.row import NetworkHostRow, NetworkRow, SegmentRow
from cumulet.services.network.noun import Noun
from cumulet.services.network.ports.operations import erase
from cumulet.services.network.ports.row import DHCP, FLOATING, GATEWAY, PortRow
from cumulet.services.network.qos.conflicts import refuse_bound
from cumulet.services.network.qos.requests import renew
from cumulet.services.network.qos.row import DefaultPolicyRow, applied_policy
from cumulet.services.network.room import Network
from cumulet.services.network.standard import STANDARD, json_text, standard
from cumulet.services.network.stirring import depart, stir
from cumulet.services.network.subnets.operations import erase_subnet, refuse_small
from cumulet.services.network.subnets.row import SubnetRow
from cumulet.services.network.wires import DnsName


def _shared(row: NetworkRow, call: Call) -> bool:
    return rbac.shared_with(row.shared_with, call.caller.project_id)


def _sees(call: Call) -> Clause | None:
    return None if rbac.sees_all(call) else rbac.own_or_shared(NetworkRow, "network")


def _shared_filter(values: list[bool]) -> tuple[str, Clause, Mapping[str, Any]]:
    wanted = values[-1]
    to_me = sa.select(rbac.RbacRow.c.object_id).where(
        rbac.RbacRow.c.action == rbac.SHARED, rbac.RbacRow.c.target.in_(["*", rbac.caller_project()])
    )
    clause = NetworkRow.c.id.in_(to_me) if wanted else NetworkRow.c.id.not_in(to_me)
    return f"shared {wanted}", clause, {}


class Alone(OrNull):
    """Source of a field that says nothing where several segments do."""

    def __call__(self, row: Any, call: object) -> object:
        return super().__call__(row, call) if row.segments == "null" else None


Kind = Enum("vxlan", "vlan", "flat", "local")
SegmentNumber = Int(1, 2**24 - 1).or_null()
ProviderSegment = Obj(
    Field("provider:network_type", Kind, create=OPTIONAL),
    Field("provider:physical_network", Text(64).or_null(), create=OPTIONAL),
    Field("provider:segmentation_id", SegmentNumber, create=OPTIONAL),
)

networks = Noun(
    "/networks",
    "network",
    "networks",
    NetworkRow,
    [
        *STANDARD,
        Facet(
            fields=(
                Field("admin_state_up", Bool, create=True, update=OPTIONAL, source="admin_up"),
                Field("status", Text()),
                Field("shared", Bool, create=False, update=OPTIONAL, source=_shared),
                Field("subnets", Text(), source=Passed("subnets")),
            )
        ),
        Facet(
            "provider",
            "Provider attributes of networks",
            (
                Field(
                    "provider:network_type",
                    Kind,
                    create=OPTIONAL,
                    source=Alone("network_type"),
                    rule="get_network:provider:network_type",
                ),
                Field(
                    "provider:physical_network",
                    Text(64).or_null(),
                    create=OPTIONAL,
                    source=Alone("physical_network"),
                    rule="get_network:provider:physical_network",
                ),
                Field(
                    "provider:segmentation_id",
                    SegmentNumber,
                    create=OPTIONAL,
                    source=Alone("segmentation_id"),
                    rule="get_network:provider:segmentation_id",
                ),
            ),
        ),
        Facet(
            "multi-provider",
            "Networks of several segments",
            (
                Field(
                    "segments",
                    ListOf(ProviderSegment, least=1, most=16),
                    create=OPTIONAL,
                    source=Passed("segments"),
                    rule="get_network:segments",
                ),
            ),
        ),
        Facet(
            "external-net",
            "External networks",
            (Field("router:external", Bool, create=False, update=OPTIONAL, source="external"),),
        ),
        Facet("net-mtu", "MTU of networks", (Field("mtu", Int(0, 65535), create=OPTIONAL, update=OPTIONAL),)),
        Facet("tag", "Tags on networks"),
        Facet("net-mtu-writable", "MTU of networks that may be written"),
        Facet(
            "port-security",
            "Port security",
            (Field("port_security_enabled", Bool, create=True, update=OPTIONAL, source="port_security"),),
        ),
        Facet(
            "network_availability_zone",
            "Availability zones of networks",
            (
                Field("availability_zone_hints", ListOf(Text(), most=8), create=OPTIONAL, source=Passed("zone_hints")),
                Field(
                    "availability_zones",
                    Text(),
                    source=lambda row, call: _zones(row.zone_hints) if row.dhcp_mac else [],
                ),
            ),
        ),
        Facet(
            "dns-integration",
            "DNS names",
            (Field("dns_domain", DnsName, create="", update=OPTIONAL),),
        ),
        Facet(
            "qos",
            "Quality of service",
            (
                Field(
                    "qos_policy_id",
                    Uuid.or_null(),
                    create=OPTIONAL,
                    update=OPTIONAL,
                    source=OrNull("qos_policy_id"),
                ),
            ),
        ),
        Facet(
            "auto-allocated-topology",
            "A topology made by itself",
            (Field("is_default", Bool, create=False, update=OPTIONAL),),
        ),
        Facet(
            "address-scope",
            "Address scopes",
            (
                Field("ipv4_address_scope", Text(), source=OrNull("scope_v4")),
                Field("ipv6_address_scope", Text(), source=OrNull("scope_v6")),
            ),
        ),
        Facet(
            "l2_adjacency", "Layer 2 adjacency", (Field("l2_adjacency", Bool, source=lambda row, call: not row.routed),)
        ),
    ],
    missing=NetworkNotFound,
    quota="network",
    sees=_sees,
    aspects=lambda call, row: {"router:external": row.external, "network:project_id": row.project_id},
    filters=[Filter("shared", parse=parse_bool, clause=_shared_filter)],
)
networks.reads()


def _zones(hints: str) -> list[str]:
    found: list[str] = msgspec.json.decode(hints)
    return found or ["nova"]


@networks.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> NetworkRow:
    if "qos_policy_id" in wish:
        policy = await applied_policy(tx, call, wish["qos_policy_id"])
    else:
        default = await tx.get(DefaultPolicyRow, project_id=wish["project_id"])
        policy = default.policy_id if default else ""
    return await make(room, tx, wish, qos_policy=policy)


async def make(room: Network, tx: Transaction, wish: Mapping[str, Any], qos_policy: str = "") -> NetworkRow:
    """Insert a network and the segments that carry it."""
    columns = standard(wish, room.clock)
    segments = await make_segments(room, tx, columns["id"], columns["project_id"], wish)
    most = most_mtu(room, segments)
    row = NetworkRow(
        **columns,
        admin_up=wish.get("admin_state_up", True),
        status="ACTIVE",
        mtu=_mtu(wish.get("mtu") or most, most),
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
    await _refuse_second_default(tx, row)
    await tx.insert(row)
    for wanted, action in ((row.shared_with, rbac.SHARED), (row.external, rbac.EXTERNAL)):
        if wanted:
            await rbac.share(tx, "network", row.id, row.project_id, action, rbac.EVERYBODY)
    return row


def _mtu(wanted: int, most: int) -> int:
    if wanted > most:
        raise InvalidInput(f"Requested MTU is too big, maximum is {most}")
    return wanted


async def _refuse_second_default(tx: Transaction, row: NetworkRow) -> None:
    if row.is_default and not row.external:
        raise InvalidInput("Only an external network can be the default one. Set router:external as well.")
    if row.is_default:
        others = [other.id for other in await tx.find(NetworkRow, is_default=True) if other.id != row.id]
        if others:
            raise ResourceInUse(
                f"A default external network already exists: {others[0]}.", type_name="DefaultExternalNetworkExists"
            )


@networks.updating
async def update(room: Network, call: Call, tx: Transaction, row: NetworkRow, wish: dict[str, Any]) -> NetworkRow:
    changes: dict[str, Any] = {
        networks.columns.get(name, name): value
        for name, value in wish.items()
        if name not in ("shared", "qos_policy_id", "mtu")
    }
    if "mtu" in wish:
        most = most_mtu(room, await segments_of(tx, row.id))
        changes["mtu"] = _mtu(wish["mtu"] or most, most)
        for version in {subnet.version for subnet in await tx.find(SubnetRow, network_id=row.id)}:
            refuse_small(row.id, changes["mtu"], version)
    if "qos_policy_id" in wish:
        changes["qos_policy_id"] = await applied_policy(tx, call, wish["qos_policy_id"], row.qos_policy_id)
    if "shared" in wish and wish["shared"] != ("*" in row.shared_with):
        await _share(room, tx, row, wish["shared"])
        changes["shared_with"] = await rbac.targets(tx, row.id)
    if wish.get("router:external", row.external) != row.external:
        await _set_external(room, tx, row, wish["router:external"])
    changed = await networks.save(room, tx, row, **changes)
    await _refuse_second_default(tx, changed)
    if changed.qos_policy_id != row.qos_policy_id:
        ports = await tx.find(PortRow, network_id=row.id)
        await tx.update(PortRow, {"network_id": row.id}, qos_network_policy_id=changed.qos_policy_id)
        inheriting = [port for port in ports if not port.qos_policy_id]
        refuse_bound(inheriting, row.qos_policy_id)
        await renew(
            tx, [msgspec.structs.replace(port, qos_network_policy_id=changed.qos_policy_id) for port in inheriting]
        )
        await stir(tx, PortRow, "port", [port.id for port in inheriting if port.host])
    if changed is not row:
        await stir(tx, NetworkRow, "network", [row.id])
    return changed  # type: ignore[no-any-return]


async def _share(room: Network, tx: Transaction, row: NetworkRow, wanted: bool) -> None:
    if wanted:
        await rbac.share(tx, "network", row.id, row.project_id, rbac.SHARED, rbac.EVERYBODY)
        return
    await refuse_while_others_use(tx, row, keep={row.project_id, ""})
    await rbac.unshare(room, tx, row.id, rbac.SHARED, rbac.EVERYBODY)


async def refuse_while_others_use(tx: Transaction, row: NetworkRow, keep: set[str]) -> None:
    """Raise when ports of projects other than these are on a network that is no longer to be shared with them."""
    shared = set(row.shared_with.split()) - {rbac.EVERYBODY}
    for port in await tx.find(PortRow, network_id=row.id):
        if port.project_id not in keep | shared:
            raise ResourceInUse(
                f"Unable to reconfigure sharing settings for network {row.id}: others use it.",
                type_name="InvalidSharedSetting",
            )


async def _set_external(room: Network, tx: Transaction, row: NetworkRow, wanted: bool) -> None:
    if wanted:
        await rbac.share(tx, "network", row.id, row.project_id, rbac.EXTERNAL, rbac.EVERYBODY)
        return
    if await tx.count(PortRow, network_id=row.id, device_owner=[FLOATING, GATEWAY]):
        raise ResourceInUse(
            f"External network {row.id} cannot be made non-external: it has gateway ports.",
            type_name="ExternalNetworkInUse",
        )
    await rbac.unshare(room, tx, row.id, rbac.EXTERNAL)


@networks.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: NetworkRow) -> None:
    await erase_parts(room, tx, row)


async def erase_parts(room: Network, tx: Transaction, row: NetworkRow) -> None:
    """Remove what hangs on a network that is to go. Raises NetworkInUse."""
    await erase_idle(room, tx, row.id)
    ports = await tx.find(PortRow, network_id=row.id)
    users = [port for port in ports if port.device_owner != DHCP]
    if users:
        raise NetworkInUse(
            f"Unable to complete operation on network {row.id}. There are one or more ports still in use on the "
            f"network, id for these ports is: {','.join(port.id for port in users[:20])}."
        )
    for port in ports:
        await erase(room, tx, port)
    for subnet in await tx.find(SubnetRow, network_id=row.id):
        await erase_subnet(room, tx, subnet)
    await tx.delete(SegmentRow, network_id=row.id)
    await tx.delete(NetworkHostRow, network_id=row.id)
    await rbac.unshare(room, tx, row.id)
    await include(tx, row.id)
    await depart(tx, "network", row.id)
