"""Ranges of segment numbers: of the settings, shared, and of projects."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.services.network.room import Network
from tests.api.network.conftest import Maker
from tests.support.client import Client
from tests.support.personas import DEMO

pytestmark = pytest.mark.db


@pytest.fixture
def admin(network: Client) -> Client:
    return network.as_("admin")


async def made(admin: Client, status: int = 201, **wish: Any) -> dict[str, Any]:
    wish = {"network_type": "vxlan", "minimum": 1100, "maximum": 1102, **wish}
    answer = await admin.post("/network_segment_ranges", {"network_segment_range": wish}, status)
    found: dict[str, Any] = answer["network_segment_range"] if status == 201 else answer["NeutronError"]
    return found


async def number(admin: Client, net: dict[str, Any]) -> int:
    found: int = (await admin.get(f"/networks/{net['id']}"))["network"]["provider:segmentation_id"]
    return found


async def shown(admin: Client, row: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (await admin.get(f"/network-segment-ranges/{row['id']}"))["network_segment_range"]
    return found


async def test_a_projects_own_numbers_come_first_and_are_nobody_elses(
    network: Client, admin: Client, make: Maker, room: Network
) -> None:
    room.vni_range = (1100, 1104)
    own = await made(admin, shared=False, project_id=DEMO, name="mine")
    assert (own["default"], own["shared"], own["project_id"], own["used"]) == (False, False, DEMO, {})
    assert own["available"] == [1100, 1101, 1102]
    foreign = [await number(admin, await Maker(network.as_("stranger")).network()) for _ in range(2)]
    assert sorted(foreign) == [1103, 1104]
    refusal = await network.as_("stranger").post("/networks", {"network": {}}, 503)
    assert refusal["NeutronError"]["type"] == "NoNetworkAvailable"
    nets = [await make.network() for _ in range(3)]
    assert sorted([await number(admin, net) for net in nets]) == [1100, 1101, 1102]
    used = await shown(admin, own)
    assert (used["used"], used["available"]) == ({"1100": DEMO, "1101": DEMO, "1102": DEMO}, [])
    path = f"/network_segment_ranges/{own['id']}"
    for change in ({"minimum": 1101}, {"maximum": 1101}):
        held = await admin.put(path, {"network_segment_range": change}, 409)
        assert held["NeutronError"]["type"] == "NetworkSegmentRangeReferencedByProject"
    await admin.delete(path, 409)
    wider = {"minimum": 1050, "maximum": 1110, "name": "wider"}
    assert (await admin.put(path, {"network_segment_range": wider}))["network_segment_range"]["maximum"] == 1110
    narrower = {"minimum": 1100, "maximum": 1102}
    assert (await admin.put(path, {"network_segment_range": narrower}))["network_segment_range"]["maximum"] == 1102
    for net in nets:
        await network.delete(f"/networks/{net['id']}")
    await admin.put(f"{path}/tags/blue", {}, 201)
    assert (await admin.get("/network_segment_ranges?tags=blue"))["network_segment_ranges"][0]["id"] == own["id"]
    await admin.delete(path)
    assert await number(admin, await make.network()) in (1100, 1101, 1102)


async def test_no_number_is_in_two_ranges(admin: Client) -> None:
    first, second = await made(admin, minimum=10, maximum=19), await made(admin, minimum=20, maximum=29)
    assert (await made(admin, 409, minimum=5, maximum=10))["type"] == "NetworkSegmentRangeOverlaps"
    path = f"/network_segment_ranges/{second['id']}"
    await admin.put(path, {"network_segment_range": {"minimum": 19}}, 409)
    await admin.delete(f"/network_segment_ranges/{first['id']}")
    await admin.put(path, {"network_segment_range": {"minimum": 19}})


async def test_the_settings_say_the_first_ranges(network: Client, admin: Client, room: Network) -> None:
    room.physical_networks = ("public", "cable")
    rows = (await admin.get("/network_segment_ranges"))["network_segment_ranges"]
    kinds = {(row["network_type"], row["physical_network"], row["minimum"], row["maximum"]) for row in rows}
    assert kinds == {("vxlan", "", 1, 2**24 - 1), ("vlan", "public", 1, 4094), ("vlan", "cable", 1, 4094)}
    assert all(row["default"] and row["shared"] and len(row["available"]) == 1000 for row in rows)
    path = f"/network_segment_ranges/{rows[0]['id']}"
    for method, body in (("PUT", {"network_segment_range": {"name": "x"}}), ("DELETE", None)):
        refusal = await admin(method, path, body)
        assert refusal.status_code == 400
        assert refusal.json()["NeutronError"]["type"] == "NetworkSegmentRangeDefaultReadOnly"
    room.vni_range, room.physical_networks = (5, 6), ("public",)
    rows = (await admin.get("/network_segment_ranges"))["network_segment_ranges"]
    assert {(row["network_type"], row["minimum"]) for row in rows} == {("vxlan", 5), ("vlan", 1)}
    assert (await network.get("/network_segment_ranges"))["network_segment_ranges"] == []
    await network.get(path, 404)


async def test_vlans_are_numbered_wire_by_wire(admin: Client, room: Network) -> None:
    room.physical_networks = ("public", "cable")
    room.vlan_range = (7, 7)
    make = Maker(admin)
    for wire in room.physical_networks:
        net = await make.network(**{"provider:network_type": "vlan", "provider:physical_network": wire})
        assert net["provider:segmentation_id"] == 7
    wish = {"network": {"provider:network_type": "vlan", "provider:physical_network": "cable"}}
    await admin.post("/networks", wish, 503)


@pytest.mark.parametrize(
    "odd",
    [
        {"network_type": "vlan"},
        {"network_type": "vlan", "physical_network": "nowhere"},
        {"network_type": "vlan", "physical_network": "public", "maximum": 5000},
        {"physical_network": "public"},
        {"network_type": "gre"},
        {"minimum": 9, "maximum": 8},
        {"maximum": 2**24},
        {"shared": False, "project_id": ""},
    ],
)
async def test_what_is_no_range_is_refused(admin: Client, odd: dict[str, Any]) -> None:
    await made(admin, 400, **odd)
