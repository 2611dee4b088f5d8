"""The noun `trunk`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Bool, Enum, Int, ListOf, Obj, Text, Uuid
from cumulet.services.network import rbac
from cumulet.services.network.attributes import clean
from cumulet.services.network.errors import HTTPBadRequest, InvalidInput
from cumulet.services.network.facets import Facet, Passed
from cumulet.services.network.networks.row import NetworkRow
from cumulet.services.network.noun import Noun
from cumulet.services.network.ports import operations
from cumulet.services.network.ports.errors import PortInUse, PortInUseAsSubPort, PortInUseAsTrunkParent, PortNotFound
from cumulet.services.network.ports.row import SUB_PORT, PortRow
from cumulet.services.network.room import Network
from cumulet.services.network.standard import STANDARD, standard
from cumulet.services.network.trunks.errors import (
    DuplicateSubPort,
    ParentPortInUse,
    SubPortMtuGreaterThanTrunkPortMtu,
    SubPortNotFound,
    TrunkDisabled,
    TrunkNotFound,
)
from cumulet.services.network.trunks.row import SubPortRow, TrunkRow, show_trunk, sub_ports_of

VLAN, INHERIT = "vlan", "inherit"
TAGS = range(1, 4095)

SubPorts = ListOf(
    Obj(
        Field("port_id", Uuid, create=REQUIRED),
        Field("segmentation_type", Enum(VLAN, INHERIT), create=OPTIONAL),
        Field("segmentation_id", Int(-1, 2**31 - 1), create=OPTIONAL),
    ),
    most=4096,
)

trunks = Noun(
    "/trunks",
    "trunk",
    "trunks",
    TrunkRow,
    [
        *STANDARD,
        Facet(
            "trunk",
            "Trunks",
            (
                Field("admin_state_up", Bool, create=True, update=OPTIONAL, source="admin_up"),
                Field("port_id", Uuid, create=REQUIRED),
                Field("status", Text()),
                Field("sub_ports", SubPorts, create=[], source=Passed("sub_ports")),
            ),
        ),
    ],
    missing=TrunkNotFound,
    quota="trunk",
)
trunks.reads()


@trunks.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> TrunkRow:
    wanted = _distinct(wish["sub_ports"])
    parent = await _own_port(tx, call, wish["port_id"])
    if parent.trunk_id:
        raise _in_use(parent)
    if parent.device_owner.startswith("network:"):
        raise PortInUse(f"Port {parent.id} belongs to {parent.device_owner} and cannot be a trunk's.")
    row = TrunkRow(
        **standard(wish, room.clock),
        admin_up=wish["admin_state_up"],
        status="DOWN",
        port_id=parent.id,
        sub_ports="[]",
    )
    await tx.insert(row)
    await tx.update(PortRow, {"id": parent.id}, trunk_id=row.id)
    await _join(room, tx, call, row, parent, wanted)
    return await _fresh(tx, row)


@trunks.updating
async def update(room: Network, call: Call, tx: Transaction, row: TrunkRow, wish: dict[str, Any]) -> TrunkRow:
    changes: dict[str, Any] = {name: wish[name] for name in ("name", "description") if name in wish}
    if "admin_state_up" in wish:
        changes["admin_up"] = wish["admin_state_up"]
    return await trunks.save(room, tx, row, **changes)  # type: ignore[no-any-return]


@trunks.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: TrunkRow) -> None:
    _refuse_disabled(row)
    for port in await sub_ports_of(tx, row.id):
        await _leave(room, tx, port)
    await tx.update(PortRow, {"id": row.port_id}, trunk_id="", trunk="null")


@trunks.verb("add_subports", "add_subports")
async def add_subports(
    room: Network, call: Call, tx: Transaction, row: TrunkRow, body: dict[str, Any]
) -> dict[str, Any]:
    wanted = _distinct(_given(body))
    _refuse_disabled(row)
    parent = await tx.get(PortRow, id=row.port_id)
    assert parent is not None
    await _join(room, tx, call, row, parent, wanted)
    return trunks.show_row(call, await _changed(room, tx, row))


@trunks.verb("remove_subports", "remove_subports")
async def remove_subports(
    room: Network, call: Call, tx: Transaction, row: TrunkRow, body: dict[str, Any]
) -> dict[str, Any]:
    wanted = _given(body)
    _refuse_disabled(row)
    has = {port.id: port for port in await sub_ports_of(tx, row.id)}
    for sub in wanted:
        port = has.pop(sub["port_id"], None)
        if port is None:
            raise SubPortNotFound(f"SubPort on trunk {row.id} with parent port {sub['port_id']} not found.")
        await _leave(room, tx, port)
    return trunks.show_row(call, await _changed(room, tx, row))


@trunks.verb("get_subports", "get_subports", method="GET")
async def get_subports(
    room: Network, call: Call, tx: Transaction, row: TrunkRow, body: dict[str, Any]
) -> dict[str, Any]:
    return {"sub_ports": msgspec.Raw(row.sub_ports.encode())}


async def _join(
    room: Network, tx: Transaction, call: Call, trunk: TrunkRow, parent: PortRow, wanted: Sequence[Mapping[str, Any]]
) -> None:
    """Make these ports the trunk's: they live where its own port does."""
    taken = {sub.tag for sub in await tx.find(SubPortRow, trunk_id=trunk.id)}
    way = await tx.get(NetworkRow, id=parent.network_id)
    for sub in wanted:
        port = await _free_port(tx, call, trunk, sub["port_id"])
        network = await tx.get(NetworkRow, id=port.network_id)
        assert network is not None
        assert way is not None
        tag = _tag(sub, network)
        if tag in taken:
            raise DuplicateSubPort(
                f"segmentation_type {VLAN} and segmentation_id {tag} already in use on trunk {trunk.id}."
            )
        taken.add(tag)
        if network.mtu > way.mtu:
            raise SubPortMtuGreaterThanTrunkPortMtu(
                f"MTU {network.mtu} of subport {port.id} cannot be greater than MTU {way.mtu} of trunk {trunk.id}."
            )
        await tx.insert(SubPortRow(port.id, trunk.id, tag))
        await operations.change(
            room, tx, port, trunk_id=trunk.id, device_id=trunk.id, device_owner=SUB_PORT, host=parent.host
        )
    await show_trunk(tx, trunk.id)


async def _free_port(tx: Transaction, call: Call, trunk: TrunkRow, port_id: str) -> PortRow:
    """A port that may become a sub-port. Raises."""
    port = await _own_port(tx, call, port_id)
    if port.id == trunk.port_id:
        raise ParentPortInUse(f"Port {port.id} is the parent port of trunk {trunk.id} itself.")
    if port.trunk_id:
        raise _in_use(port)
    if port.device_id or port.host:
        raise PortInUse(
            f"Unable to complete operation on port {port.id} for network {port.network_id}. Port already has an "
            f"attached device {port.device_id}."
        )
    return port


async def _own_port(tx: Transaction, call: Call, port_id: str) -> PortRow:
    port = await tx.get(PortRow, id=port_id)
    if port is None or not (port.project_id == call.caller.project_id or rbac.sees_all(call)):
        raise PortNotFound(f"Port {port_id} could not be found.")
    return port


def _in_use(port: PortRow) -> PortInUse:
    if port.device_owner == SUB_PORT:
        return PortInUseAsSubPort(f"Port {port.id} is currently a subport for trunk {port.trunk_id}.")
    return PortInUseAsTrunkParent(f"Port {port.id} is currently a parent port for trunk {port.trunk_id}.")


async def _leave(room: Network, tx: Transaction, port: PortRow) -> None:
    await tx.delete(SubPortRow, port_id=port.id)
    await operations.change(room, tx, port, trunk_id="", device_id="", device_owner="", host="")


async def _changed(room: Network, tx: Transaction, row: TrunkRow) -> TrunkRow:
    """The trunk after its sub-ports changed: that is a revision of it."""
    await show_trunk(tx, row.id)
    now = await _fresh(tx, row)
    await tx.update(TrunkRow, {"id": row.id}, revision=row.revision + 1, updated_at=room.clock.now())
    return await _fresh(tx, now)


async def _fresh(tx: Transaction, row: TrunkRow) -> TrunkRow:
    found = await tx.get(TrunkRow, id=row.id)
    assert found is not None
    return found


def _refuse_disabled(row: TrunkRow) -> None:
    if not row.admin_up:
        raise TrunkDisabled(f"Trunk {row.id} is currently disabled.")


def _given(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    if "sub_ports" not in body:
        raise HTTPBadRequest("Failed to parse request. Required attribute 'sub_ports' not specified")
    found: list[dict[str, Any]] = clean(Field("sub_ports", SubPorts, create=REQUIRED), body["sub_ports"])
    return found


def _distinct(subs: Sequence[dict[str, Any]]) -> Sequence[dict[str, Any]]:
    """The sub-ports of a request, complete and each once. Raises."""
    ids = [sub["port_id"] for sub in subs]
    if len(set(ids)) < len(ids):
        raise InvalidInput("Invalid input for sub_ports. Reason: a port is named twice.")
    tags = [sub.get("segmentation_id") for sub in subs if sub.get("segmentation_type") != INHERIT]
    if len(set(tags)) < len(tags):
        raise InvalidInput("Invalid input for sub_ports. Reason: a segmentation_id is named twice.")
    for sub in subs:
        for name in ("segmentation_type", "segmentation_id"):
            if sub.get(name) is None and sub.get("segmentation_type") != INHERIT:
                raise InvalidInput(f"Invalid input for sub_ports. Reason: {name} of {sub['port_id']} is missing.")
        if sub["segmentation_type"] == VLAN and sub["segmentation_id"] not in TAGS:
            raise InvalidInput(
                f"Invalid input for sub_ports. Reason: segmentation_id {sub['segmentation_id']} is not of 1 to 4094."
            )
    return subs


def _tag(sub: Mapping[str, Any], network: NetworkRow) -> int:
    """The tag that was asked for, or that of the sub-port's network."""
    if sub["segmentation_type"] == VLAN:
        return int(sub["segmentation_id"])
    if network.network_type != VLAN or network.segmentation_id not in TAGS:
        raise InvalidInput(
            f"Invalid input for sub_ports. Reason: network {network.id} is of type {network.network_type}, so port "
            f"{sub['port_id']} cannot inherit a VLAN from it."
        )
    return int(network.segmentation_id or 0)
