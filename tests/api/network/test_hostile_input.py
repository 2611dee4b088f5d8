"""Whatever is sent, the answer is a refusal in words: never a fault of the server's own, and nothing half made."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.core.web.body import REQUIRED
from cumulet.services.network.noun import Noun
from cumulet.services.network.room import Network
from cumulet.services.network.service import NOUNS
from tests.api.network.conftest import Maker
from tests.support.client import Client

NASTY: tuple[Any, ...] = (
    None,
    True,
    -1,
    2**63,
    1e300,
    "",
    "x" * 300,
    "\x00",
    "\ud7ff%$'\"",
    "0.0.0.0/0",
    "::/0",
    "255.255.255.255",
    "ff:ff:ff:ff:ff:ff",
    [],
    [None],
    [[]],
    [{}],
    {},
    {"a": {"b": []}},
    ["10.0.0.0/8", "::/0"],
    [{"start": "10.0.0.9", "end": "10.0.0.1"}],
    [{"ip_address": "::1"}],
    [{"destination": "::/0", "nexthop": "10.0.0.1"}],
)
TOP = [noun for noun in NOUNS if "{" not in noun.path]


async def surroundings(network: Client, make: Maker) -> dict[str, Any]:
    """Good values for what is required, so that the nasty one is reached."""
    net = await make.network()
    await make.subnet(net)
    group = await make.one("security_group", "/security-groups", name="g")
    label = {"metering_label": {"name": "l"}}
    return {
        "network_id": net["id"],
        "metering_label_id": (await network.as_("admin").post("/metering/metering-labels", label))["metering_label"][
            "id"
        ],
        "port_id": (await make.port(net))["id"],
        "security_group_id": group["id"],
        "router_id": (await make.one("router", "/routers"))["id"],
        "resource_type": "security_group",
        "service_type": "L3_ROUTER_NAT",
        "network_type": "vxlan",
        "minimum": 1,
        "maximum": 9,
        "direction": "ingress",
        "floating_network_id": net["id"],
        "prefixes": ["10.1.0.0/16"],
        "ip_version": 4,
        "cidr": "10.2.0.0/24",
        "object_type": "network",
        "object_id": net["id"],
        "action": "access_as_shared",
        "target_tenant": "x",
    }


@pytest.mark.parametrize("noun", TOP, ids=lambda noun: noun.many)
async def test_no_attribute_breaks_a_creation(network: Client, make: Maker, noun: Noun) -> None:
    if not noun.attributes.creatable or not any(e.method == "POST" for e in noun.endpoints):
        return
    good = await surroundings(network, make)
    admin = network.as_("admin")
    needed = {f.name: good[f.name] for f in noun.fields if f.create is REQUIRED}
    if noun.one == "subnet":
        needed |= {"cidr": good["cidr"], "ip_version": 4}
    for name in noun.attributes.creatable:
        for value in NASTY:
            response = await admin("POST", noun.path, {noun.one: {**needed, name: value}})
            assert response.status_code in (201, 400, 403, 404, 409), (name, value, response.text)


@pytest.mark.parametrize("noun", TOP, ids=lambda noun: noun.many)
async def test_no_filter_breaks_a_list(network: Client, noun: Noun) -> None:
    if not any(e.method == "GET" and e.path == noun.path for e in noun.endpoints):
        return
    for filter_ in noun.listing.filters:
        for value in ("", "x", "-1", "9" * 40, "true", "subnet_id=", "ip_address=x", "2026-11-23T00:00:00", "%00", "☃"):
            response = await network("GET", noun.path, params={filter_.name: value})
            assert response.status_code in (200, 400), (filter_.name, value, response.text)
    for query in ("marker=none", "limit=x", "limit=999999999999", "sort_key=id&sort_dir=up", "fields=none", "marker="):
        response = await network("GET", f"{noun.path}?{query}")
        assert response.status_code in (200, 400), (query, response.text)


async def test_no_id_breaks_anything(network: Client) -> None:
    for noun in NOUNS:
        path = noun.path
        for name in ("floatingip_id", "policy_id"):
            path = path.replace(f"{{{name}}}", "x")
        for key in ("x", "%00", "x" * 300, "..%2f..", "☃"):
            for method in ("GET", "PUT", "DELETE"):
                response = await network(method, f"{path}/{key}", {noun.one: {}} if method == "PUT" else None)
                assert response.status_code in (400, 404, 405), (method, noun.one, key, response.text)


async def test_nobody_makes_himself_a_leg_of_a_router(network: Client, make: Maker) -> None:
    net = await make.network()
    subnet = await make.subnet(net)
    router = await make.one("router", "/routers", name="r")
    leg = await network.put(f"/routers/{router['id']}/add_router_interface", {"subnet_id": subnet["id"]})
    intruder = Maker(network.as_("stranger"))
    theirs = await intruder.network()
    false = {"network_id": theirs["id"], "device_id": router["id"], "device_owner": "network:router_interface"}
    await network.as_("stranger").post("/ports", {"port": false}, 409)
    port = await intruder.port(theirs, device_id=router["id"])
    change = {"port": {"device_owner": "network:router_gateway"}}
    await network.as_("stranger").put(f"/ports/{port['id']}", change, 409)
    await network.put(f"/ports/{leg['port_id']}", {"port": {"device_id": ""}}, 409)
    await network.put(f"/ports/{leg['port_id']}", {"port": {"name": "leg"}})


async def test_what_no_quota_counts_is_bounded(network: Client, make: Maker, room: Network) -> None:
    room.most_uncounted = 2
    router = await make.one("router", "/routers")
    for noun, path, wishes in (
        ("address_group", "/address-groups", [{} for _ in range(3)]),
        (
            "conntrack_helper",
            f"/routers/{router['id']}/conntrack_helpers",
            [{"protocol": "tcp", "port": 2000 + number, "helper": "ftp"} for number in range(3)],
        ),
    ):
        for wish in wishes[:2]:
            await make.one(noun, path, **wish)
        refusal = await network.post(path, {noun: wishes[2]}, 409)
        assert refusal["NeutronError"]["type"] == "OverQuota"
        assert noun in refusal["NeutronError"]["message"]
    await Maker(network.as_("stranger")).one("address_group", "/address-groups")
