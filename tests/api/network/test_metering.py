"""Labels and their rules: who may make them, what the routers are told, and what comes back."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import Metered, MeterRule
from cumulet.services.network.public import NetworkDoor
from cumulet.services.network.room import Network
from tests.api.network.conftest import Maker
from tests.api.network.test_reconcilers import World
from tests.support.client import Client
from tests.support.fake_fleet import FakeFleet
from tests.support.personas import DEMO

pytestmark = pytest.mark.db
LABELS, RULES = "/metering/metering-labels", "/metering/metering-label-rules"


async def label(client: Client, status: int = 201, **wish: object) -> dict[str, Any]:
    answer: dict[str, Any] = await client.post(LABELS, {"metering_label": wish}, status)
    return answer["metering_label"] if status == 201 else answer


async def rule(client: Client, of: dict[str, Any], status: int = 201, **wish: object) -> dict[str, Any]:
    body = {"metering_label_rule": {"metering_label_id": of["id"], **wish}}
    answer: dict[str, Any] = await client.post(RULES, body, status)
    return answer["metering_label_rule"] if status == 201 else answer


async def test_labels_and_their_rules(network: Client) -> None:
    await label(network, 403, name="mine")
    manager = network.as_("manager")
    made = await label(manager, name="web", description="what it costs")
    assert (made["name"], made["shared"], made["project_id"]) == ("web", False, DEMO)
    first = await rule(manager, made, remote_ip_prefix="10.0.0.0/24", direction="egress")
    assert (first["excluded"], first["source_ip_prefix"]) == (False, None)
    clash = await rule(manager, made, 409, remote_ip_prefix="10.0.0.0/16", direction="egress")
    assert clash["NeutronError"]["type"] == "MeteringLabelRuleOverlaps"
    await rule(manager, made, remote_ip_prefix="10.0.0.5/32", direction="egress", excluded=True)
    await rule(manager, made, source_ip_prefix="192.0.2.0/24", destination_ip_prefix="10.0.0.0/24")
    for wrong in (
        {},
        {"remote_ip_prefix": "10.0.0.0/24", "source_ip_prefix": "10.0.0.0/24"},
        {"source_ip_prefix": "10.0.0.0/24", "destination_ip_prefix": "::/0"},
        {"remote_ip_prefix": "10.0.0.0/33"},
        {"remote_ip_prefix": "10.1.0.0/24", "direction": "sideways"},
    ):
        await rule(manager, made, 400, **wrong)
    assert len((await network.get(f"{RULES}?metering_label_id={made['id']}"))["metering_label_rules"]) == 3
    stranger = network.as_("stranger")
    await stranger.get(f"{LABELS}/{made['id']}", 404)
    assert (await stranger.get(RULES))["metering_label_rules"] == []
    await rule(stranger, made, 403, remote_ip_prefix="10.9.0.0/24")
    await manager.put(f"{LABELS}/{made['id']}", {"metering_label": {}}, 405)
    await manager.delete(f"{RULES}/{first['id']}")
    await manager.delete(f"{LABELS}/{made['id']}")
    assert (await manager.get(RULES))["metering_label_rules"] == []


async def test_only_administrators_count_everybody(network: Client) -> None:
    await label(network.as_("manager"), 403, name="all", shared=True)
    assert (await label(network.as_("admin"), name="all", shared=True))["shared"]


async def test_routers_count_by_the_labels_of_their_project(
    network: Client, make: Maker, room: Network, fleet: FakeFleet
) -> None:
    world = World(room, fleet)
    admin = network.as_("admin")
    own, foreign, everybodys = [
        await label(admin, name=name, project_id=project, shared=shared)
        for name, project, shared in (("own", DEMO, False), ("foreign", "f" * 32, False), ("all", "0" * 32, True))
    ]
    net = await make.network()
    subnet = await make.subnet(net)
    router = await make.one("router", "/routers")
    await network.put(f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    for each in (own, foreign, everybodys):
        await rule(admin, each, remote_ip_prefix="10.0.0.0/24", direction="ingress")
    await rule(admin, own, remote_ip_prefix="10.0.0.0/24", direction="egress")
    await world.obey()
    told: Any = fleet.told("one", Kind.ROUTER)[router["id"]]
    assert {meter.id for meter in told.meters} == {own["id"], everybodys["id"]}
    mine = next(meter for meter in told.meters if meter.id == own["id"])
    assert set(mine.rules) == {
        MeterRule(direction="ingress", destination="10.0.0.0/24"),
        MeterRule(direction="egress", source="10.0.0.0/24"),
    }
    fleet.answer("one", "meters", [Metered(id=own["id"], packets=3, bytes=99)])
    (view,) = await NetworkDoor(room).metered(router["id"])
    assert (view.label_name, view.packets, view.bytes, view.host) == ("own", 3, 99, "one")
    assert await NetworkDoor(room).metered("nobody") == []
    await admin.delete(f"{LABELS}/{everybodys['id']}")
    await world.obey()
    told = fleet.told("one", Kind.ROUTER)[router["id"]]
    assert [meter.id for meter in told.meters] == [own["id"]]
