"""Persona by verb: what each may do with what is his project's, another's, shared or external."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.core.access.rules import Rules
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.web.service import FrontDoor
from cumulet.lib.clock import SystemClock
from cumulet.services.network.policies import DEFAULTS
from cumulet.services.network.room import Network
from cumulet.services.network.service import service
from cumulet.services.placement.public import PlacementDoor
from cumulet.services.placement.room import Placement
from tests.support.client import Client
from tests.support.fake_fleet import FakeFleet
from tests.support.personas import ALT, authenticate

WHO = ("admin", "manager", "member", "reader", "stranger", "nobody", "service")

# verb: (method, path, body, the statuses for WHO)
Row = tuple[str, str, dict[str, Any] | None, tuple[int, ...]]

OWN: dict[str, Row] = {
    "show network": ("GET", "/networks/{net}", None, (200, 200, 200, 200, 404, 404, 200)),
    "rename network": ("PUT", "/networks/{net}", {"network": {"name": "n"}}, (200, 200, 200, 403, 404, 404, 403)),
    "share network": ("PUT", "/networks/{net}", {"network": {"shared": True}}, (200, 403, 403, 403, 404, 404, 403)),
    "delete network": ("DELETE", "/networks/{empty}", None, (204, 204, 204, 403, 404, 404, 403)),
    "show subnet": ("GET", "/subnets/{subnet}", None, (200, 200, 200, 200, 404, 404, 200)),
    "rename subnet": ("PUT", "/subnets/{subnet}", {"subnet": {"name": "n"}}, (200, 200, 200, 403, 404, 404, 403)),
    "make subnet": (
        "POST",
        "/subnets",
        {"subnet": {"network_id": "{net}", "cidr": "10.9.0.0/24", "ip_version": 4}},
        (201, 201, 201, 403, 403, 403, 403),
    ),
    "make port": ("POST", "/ports", {"port": {"network_id": "{net}"}}, (201, 201, 201, 403, 403, 403, 201)),
    "make bound port": (
        "POST",
        "/ports",
        {"port": {"network_id": "{net}", "binding:host_id": "one"}},
        (201, 403, 403, 403, 403, 403, 201),
    ),
    "show port": ("GET", "/ports/{port}", None, (200, 200, 200, 200, 404, 404, 200)),
    "change MAC": (
        "PUT",
        "/ports/{port}",
        {"port": {"mac_address": "fa:16:3e:01:02:03"}},
        (200, 200, 403, 403, 404, 404, 200),
    ),
    "delete port": ("DELETE", "/ports/{port}", None, (204, 204, 204, 403, 404, 404, 204)),
    "show router": ("GET", "/routers/{router}", None, (200, 200, 200, 200, 404, 404, 404)),
    "switch SNAT": (
        "PUT",
        "/routers/{router}",
        {"router": {"external_gateway_info": {"network_id": "{outside}", "enable_snat": False}}},
        (200, 403, 403, 403, 404, 404, 404),
    ),
    "join subnet": (
        "PUT",
        "/routers/{router}/add_router_interface",
        {"subnet_id": "{subnet}"},
        (200, 200, 200, 403, 404, 404, 404),
    ),
    "show group": ("GET", "/security-groups/{group}", None, (200, 200, 200, 200, 404, 404, 404)),
    "make rule": (
        "POST",
        "/security-group-rules",
        {"security_group_rule": {"security_group_id": "{group}", "direction": "ingress"}},
        (201, 201, 201, 403, 403, 403, 403),
    ),
    "make floating IP": (
        "POST",
        "/floatingips",
        {"floatingip": {"floating_network_id": "{outside}"}},
        (201, 201, 201, 403, 201, 403, 403),
    ),
    "choose floating IP": (
        "POST",
        "/floatingips",
        {"floatingip": {"floating_network_id": "{outside}", "floating_ip_address": "198.51.100.77"}},
        (201, 201, 403, 403, 403, 403, 403),
    ),
    "make NDP proxy": (
        "POST",
        "/ndp-proxies",
        {"ndp_proxy": {"router_id": "{router}", "port_id": "{port}"}},
        (409, 409, 409, 403, 404, 403, 403),
    ),
    "make policy": ("POST", "/qos/policies", {"policy": {"name": "p"}}, (201, 201, 403, 403, 403, 403, 403)),
    "set quota": ("PUT", "/quotas/" + "d" * 32, {"quota": {"port": 50}}, (200, 403, 403, 403, 403, 403, 403)),
    "list agents": ("GET", "/agents", None, (200,) * 7),
    "show external": ("GET", "/networks/{outside}", None, (200,) * 7),
    "port on external": ("POST", "/ports", {"port": {"network_id": "{outside}"}}, (201, 403, 403, 403, 403, 403, 201)),
}


@pytest.fixture
async def cloud(database: Database, bus: MemoryBus) -> Client:
    fleet: Any = FakeFleet(bus.wake, ["one"])
    room = Network(
        database=database,
        bus=bus,
        clock=SystemClock(),
        rules=Rules(DEFAULTS),
        fleet=fleet,
        placement=PlacementDoor(Placement(database=database, bus=bus, clock=SystemClock(), rules=Rules({}))),
    )
    return Client(FrontDoor(service(), room, authenticate))


async def things(cloud: Client) -> dict[str, str]:
    """The things that verbs are tried on, by the words of the table."""

    async def make(client: Client, path: str, noun: str, **attributes: Any) -> str:
        made: str = (await client.post(path, {noun: attributes}))[noun]["id"]
        return made

    admin = cloud.as_("admin")
    outside = await make(admin, "/networks", "network", **{"router:external": True})
    await make(admin, "/subnets", "subnet", network_id=outside, cidr="198.51.100.0/24", ip_version=4)
    net = await make(cloud, "/networks", "network")
    return {
        "outside": outside,
        "net": net,
        "empty": await make(cloud, "/networks", "network"),
        "subnet": await make(cloud, "/subnets", "subnet", network_id=net, cidr="10.0.0.0/24", ip_version=4),
        "port": await make(cloud, "/ports", "port", network_id=net),
        "router": await make(cloud, "/routers", "router"),
        "group": await make(cloud, "/security-groups", "security_group", name="g"),
    }


def filled(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: filled(inner, ids) for name, inner in value.items()}
    return value.format(**ids) if isinstance(value, str) else value


@pytest.mark.parametrize("who", WHO)
async def test_persona_by_verb(cloud: Client, who: str) -> None:
    ids = await things(cloud)
    different = {}
    for verb, (method, path, body, expected) in OWN.items():
        response = await cloud.as_(who)(method, path.format(**ids), filled(body, ids))
        wanted = expected[WHO.index(who)]
        if response.status_code != wanted:
            different[verb] = (response.status_code, wanted, response.text[:160])
        if response.status_code == 204:
            ids |= await things(cloud)
    assert not different


async def test_lists_hold_only_what_may_be_seen(cloud: Client) -> None:
    await things(cloud)
    for path, many in (
        ("/networks", "networks"),
        ("/subnets", "subnets"),
        ("/ports", "ports"),
        ("/routers", "routers"),
    ):
        rows = (await cloud.as_("stranger").get(path))[many]
        assert all(row["project_id"] == ALT or row.get("router:external") for row in rows)
        assert len((await cloud.as_("admin").get(path))[many]) > len(rows)
