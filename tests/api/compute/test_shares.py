"""Servers whose ports are promised bandwidth and packets: placed where that is left, and it goes with them."""

from __future__ import annotations

from typing import Any

import pytest
import pytest_asyncio

from cumulet.contracts.assignments import Kind
from cumulet.services.placement.public import Ask, Asks
from tests.support.small_cloud import SmallCloud

HOST = "OS-EXT-SRV-ATTR:host"
OUT, IN, PACKETS = "NET_BW_EGR_KILOBIT_PER_SEC", "NET_BW_IGR_KILOBIT_PER_SEC", "NET_PACKET_RATE_KILOPACKET_PER_SEC"


def wires(kbps: int, **more: int) -> dict[str, Any]:
    wire = {"physical_network": "public", "egress_kbps": kbps, "ingress_kbps": kbps}
    return {"wires": [wire], "kpps": 100, **more}


class Wired:
    """A small cloud whose nodes promise shares of their wires: 1000 kbit/s each, 100,000 packets a second."""

    def __init__(self, cloud: SmallCloud) -> None:
        self.cloud = cloud
        self.admin = cloud.network.as_("admin")
        self.network = ""

    async def start(self) -> None:
        for name in ("one", "two"):
            self.cloud.nodes.join(name, **wires(1000))
        await self.cloud.settle()
        wire = {"provider:network_type": "vlan", "provider:physical_network": "public", "shared": True}
        self.network = (await self.admin.post("/networks", {"network": wire}))["network"]["id"]
        subnet = {"network_id": self.network, "ip_version": 4, "cidr": "10.250.0.0/24"}
        await self.admin.post("/subnets", {"subnet": subnet})

    async def policy(self, kbps: int = 0, kpps: int = 0, direction: str = "ingress") -> str:
        made = (await self.admin.post("/qos/policies", {"policy": {"name": "p", "shared": True}}))["policy"]["id"]
        path = f"/qos/policies/{made}"
        if kbps:
            rule = {"minimum_bandwidth_rule": {"min_kbps": kbps, "direction": direction}}
            await self.admin.post(f"{path}/minimum_bandwidth_rules", rule)
        if kpps:
            rule = {"minimum_packet_rate_rule": {"min_kpps": kpps, "direction": "any"}}
            await self.admin.post(f"{path}/minimum_packet_rate_rules", rule)
        return str(made)

    async def port(self, policy: str | None) -> str:
        wish = {"network_id": self.network, "qos_policy_id": policy}
        return str((await self.cloud.network.post("/ports", {"port": wish}))["port"]["id"])

    async def server(self, *ports: str, **more: Any) -> dict[str, Any]:
        wish = {"name": "s", "flavorRef": "42", "imageRef": await self.cloud.make_image(), **more}
        wish["networks"] = [{"port": port} for port in ports] or more.get("networks")
        made = (await self.cloud.compute.at("2.72").post("/servers", {"server": wish}, 202))["server"]
        await self.cloud.settle()
        return await self.cloud.page(made["id"])

    async def shown(self, port: str) -> dict[str, str]:
        """By whom a port is given what, as its profile says."""
        found = (await self.admin.get(f"/ports/{port}"))["port"]["binding:profile"]
        return found.get("allocation", {})  # type: ignore[no-any-return]

    async def held(self, consumer: str) -> dict[str, dict[str, int]]:
        """What is held below the nodes, by node."""
        claims = await self.cloud.placement.claims(consumer)
        return {node: held.below for node, held in claims.items()}

    async def refusals(self, kbps: int) -> dict[str, str]:
        """Why a node cannot promise this much more; empty where one can."""
        ask = Ask("any", {IN: kbps}, frozenset({"CUSTOM_PHYSNET_PUBLIC", "CUSTOM_VNIC_TYPE_NORMAL"}))
        return await self.cloud.placement.refusals(Asks((ask,)))

    async def give(self, port: str, policy: str | None, status: int = 200) -> Any:
        found = await self.admin.put(f"/ports/{port}", {"port": {"qos_policy_id": policy}}, status)
        await self.cloud.settle()
        return found


@pytest_asyncio.fixture
async def wired(cloud: SmallCloud) -> Wired:
    made = Wired(cloud)
    await made.start()
    return made


async def test_a_server_holds_what_its_port_is_promised(wired: Wired) -> None:
    port = await wired.port(await wired.policy(600, 60))
    server = await wired.server(port)
    assert server["status"] == "ACTIVE"
    assert await wired.held(server["id"]) == {server[HOST]: {IN: 600, PACKETS: 60}}
    assert len(set((await wired.shown(port)).values())) == 2, "a wire gives the one, the agent the other"
    second = await wired.server(await wired.port(await wired.policy(600)))
    assert (second["status"], second[HOST]) == ("ACTIVE", {"one": "two", "two": "one"}[server[HOST]])
    third_port = await wired.port(await wired.policy(600))
    third = await wired.server(third_port)
    assert third["status"] == "ERROR"
    assert third["fault"]["message"].startswith("No valid host was found.")
    assert "PortResourceFilter" in third["fault"]["message"]
    assert "NET_BW_IGR_KILOBIT_PER_SEC 600" in third["fault"]["details"]
    assert (await wired.held(third["id"]), await wired.shown(third_port)) == ({}, {})
    await wired.cloud.compute.delete(f"/servers/{server['id']}")
    await wired.cloud.settle()
    assert (await wired.held(server["id"]), await wired.shown(port)) == ({}, {})
    assert (await wired.server(await wired.port(await wired.policy(600))))["status"] == "ACTIVE"


async def test_old_clients_cannot_ask_for_shares(wired: Wired) -> None:
    port = await wired.port(await wired.policy(1))
    wish = {"name": "s", "flavorRef": "42", "imageRef": await wired.cloud.make_image(), "networks": [{"port": port}]}
    refused = await wired.cloud.compute.at("2.71").post("/servers", {"server": wish}, 400)
    assert "2.72" in refused["badRequest"]["message"]


async def test_several_ports_share_a_wire(wired: Wired) -> None:
    half = await wired.policy(500)
    ports = [await wired.port(half), await wired.port(half)]
    server = await wired.server(*ports)
    assert await wired.held(server["id"]) == {server[HOST]: {IN: 1000}}
    more = await wired.policy(501)
    refused = await wired.give(ports[0], more, 409)
    assert refused["NeutronError"]["type"] == "QosPlacementAllocationUpdateConflict"
    assert await wired.held(server["id"]) == {server[HOST]: {IN: 1000}}
    await wired.give(ports[0], await wired.policy(100))
    assert await wired.held(server["id"]) == {server[HOST]: {IN: 600}}
    await wired.cloud.compute.delete(f"/servers/{server['id']}/os-interface/{ports[0]}", 202)
    await wired.cloud.settle()
    assert await wired.held(server["id"]) == {server[HOST]: {IN: 500}}
    assert await wired.shown(ports[0]) == {}
    await wired.admin.delete(f"/ports/{ports[1]}")
    await wired.cloud.settle()
    assert await wired.held(server["id"]) == {server[HOST]: {}}


async def test_another_policy_changes_what_is_held(wired: Wired) -> None:
    port = await wired.port(await wired.policy(100))
    server = await wired.server(port)
    host, given = server[HOST], set((await wired.shown(port)).values())
    await wired.give(port, await wired.policy(200, 5, "egress"))
    assert await wired.held(server["id"]) == {host: {OUT: 200}}, "packets were not promised when it was bound"
    assert set((await wired.shown(port)).values()) == given
    await wired.give(port, None)
    assert (await wired.held(server["id"]), await wired.shown(port)) == ({host: {}}, {})
    await wired.give(port, await wired.policy(300))
    assert await wired.held(server["id"]) == {host: {}}, "nothing was promised when it got this one"
    _, destination = await move(wired, server["id"])
    assert (await wired.held(server["id"]))[destination] == {IN: 300}


async def test_rules_stay_while_a_port_is_bound_by_them(wired: Wired) -> None:
    policy = await wired.policy(100)
    port = await wired.port(policy)
    server = await wired.server(port)
    path = f"/qos/policies/{policy}/minimum_bandwidth_rules"
    rule = f"{path}/{(await wired.admin.get(path))['minimum_bandwidth_rules'][0]['id']}"
    await wired.admin.put(rule, {"minimum_bandwidth_rule": {"min_kbps": 7}}, 501)
    await wired.admin.delete(rule, 501)
    await wired.admin.post(path, {"minimum_bandwidth_rule": {"min_kbps": 7}}, 501)
    await wired.cloud.compute.delete(f"/servers/{server['id']}")
    await wired.cloud.settle()
    await wired.admin.put(rule, {"minimum_bandwidth_rule": {"min_kbps": 7}})


async def move(wired: Wired, server_id: str) -> tuple[str, str]:
    before = (await wired.cloud.page(server_id))[HOST]
    await wired.cloud.do(server_id, "migrate", None, persona="admin")
    page = await wired.cloud.page(server_id)
    assert page["status"] == "VERIFY_RESIZE"
    return before, page[HOST]


@pytest.mark.parametrize("end", ["confirmResize", "revertResize"])
async def test_shares_go_with_a_server(wired: Wired, end: str) -> None:
    port = await wired.port(await wired.policy(600, 60))
    server = await wired.server(port)
    first = await wired.shown(port)
    source, destination = await move(wired, server["id"])
    assert await wired.held(server["id"]) == {destination: {IN: 600, PACKETS: 60}}
    assert set((await wired.shown(port)).values()).isdisjoint(first.values())
    refusals = await wired.refusals(600)
    assert all(refusals.values()), "both places are held until its owner has decided"
    await wired.cloud.do(server["id"], end, None, 204 if end == "confirmResize" else 202)
    stands, left = (destination, source) if end == "confirmResize" else (source, destination)
    assert await wired.held(server["id"]) == {stands: {IN: 600, PACKETS: 60}}
    refusals = await wired.refusals(600)
    assert (refusals[left], bool(refusals[stands])) == ("", True)
    assert (await wired.shown(port) == first) is (end == "revertResize")


async def test_a_server_that_ends_before_its_owner_decided_gives_all_back(wired: Wired) -> None:
    server = await wired.server(await wired.port(await wired.policy(600)))
    await move(wired, server["id"])
    await wired.cloud.compute.delete(f"/servers/{server['id']}")
    await wired.cloud.settle()
    assert await wired.refusals(1000) == {"one": "", "two": ""}


async def test_growing_in_place_keeps_the_shares(wired: Wired) -> None:
    port = await wired.port(await wired.policy(600))
    server = await wired.server(port)
    given = await wired.shown(port)
    await wired.cloud.do(server["id"], "resize", {"flavorRef": "1"})
    page = await wired.cloud.page(server["id"])
    assert (page["status"], page[HOST]) == ("VERIFY_RESIZE", server[HOST])
    assert await wired.held(server["id"]) == {server[HOST]: {IN: 600}}
    await wired.cloud.do(server["id"], "confirmResize", None, 204)
    assert (await wired.held(server["id"]), await wired.shown(port)) == ({server[HOST]: {IN: 600}}, given)


async def test_a_live_move_takes_the_shares_along(wired: Wired) -> None:
    port = await wired.port(await wired.policy(600, 60))
    server = await wired.server(port)
    body = {"host": None, "block_migration": "auto"}
    await wired.cloud.do(server["id"], "os-migrateLive", body, persona="admin", version="2.30")
    page = await wired.cloud.page(server["id"])
    assert page["status"] == "ACTIVE"
    assert page[HOST] != server[HOST]
    assert await wired.held(server["id"]) == {page[HOST]: {IN: 600, PACKETS: 60}}
    assert len(set((await wired.shown(port)).values())) == 2


async def test_a_move_without_room_leaves_the_server_where_it_is(wired: Wired) -> None:
    policy = await wired.policy(600)
    port = await wired.port(policy)
    server, other = await wired.server(port), await wired.server(await wired.port(policy))
    assert server[HOST] != other[HOST]
    await wired.cloud.do(server["id"], "migrate", None, persona="admin")
    page = await wired.cloud.page(server["id"])
    assert (page["status"], page[HOST]) == ("ACTIVE", server[HOST])
    assert await wired.held(server["id"]) == {server[HOST]: {IN: 600}}
    assert await wired.shown(port)


async def test_shelved_servers_hold_nothing(wired: Wired) -> None:
    port = await wired.port(await wired.policy(600))
    server = await wired.server(port)
    await wired.cloud.do(server["id"], "shelve")
    assert (await wired.cloud.page(server["id"]))["status"] == "SHELVED_OFFLOADED"
    assert (await wired.held(server["id"]), await wired.shown(port)) == ({}, {})
    await wired.cloud.do(server["id"], "unshelve")
    page = await wired.cloud.page(server["id"])
    assert await wired.held(server["id"]) == {page[HOST]: {IN: 600}}
    assert await wired.shown(port)


async def test_evacuated_servers_find_their_shares_elsewhere(wired: Wired) -> None:
    port = await wired.port(await wired.policy(600))
    server = await wired.server(port)
    wired.cloud.nodes.kill(server[HOST])
    await wired.cloud.settle()
    await wired.cloud.do(server["id"], "evacuate", {}, 200, persona="admin", version="2.14")
    page = await wired.cloud.page(server["id"])
    assert page[HOST] != server[HOST]
    assert await wired.held(server["id"]) == {page[HOST]: {IN: 600}}


async def test_an_attached_port_gets_its_share_or_is_refused(wired: Wired) -> None:
    server = await wired.server(await wired.port(None))
    path = f"/servers/{server['id']}/os-interface"
    big = await wired.port(await wired.policy(1001))
    refused = await wired.cloud.compute.post(path, {"interfaceAttachment": {"port_id": big}}, 400)
    assert "Failed to allocate additional resources" in refused["badRequest"]["message"]
    await wired.cloud.settle()
    assert (await wired.cloud.page(server["id"]))["status"] == "ACTIVE"
    assert (await wired.cloud.network.get(f"/ports/{big}"))["port"]["device_id"] == ""
    port = await wired.port(await wired.policy(600, 60))
    await wired.cloud.compute.post(path, {"interfaceAttachment": {"port_id": port}}, 200)
    await wired.cloud.settle()
    assert await wired.held(server["id"]) == {server[HOST]: {IN: 600, PACKETS: 60}}
    assert len(await wired.shown(port)) == 2
    await wired.cloud.compute.delete(f"{path}/{port}", 202)
    await wired.cloud.settle()
    assert (await wired.held(server["id"]), await wired.shown(port)) == ({server[HOST]: {}}, {})


async def test_a_networks_policy_is_promised_to_new_ports_too(wired: Wired) -> None:
    policy = await wired.policy(600)
    await wired.admin.put(f"/networks/{wired.network}", {"network": {"qos_policy_id": policy}})
    network = [{"uuid": wired.network}]
    server = await wired.server(networks=network)
    assert await wired.held(server["id"]) == {server[HOST]: {IN: 600}}
    other = await wired.server(networks=network)
    assert other[HOST] != server[HOST]
    assert (await wired.server(networks=network))["status"] == "ERROR"
    await wired.admin.put(f"/networks/{wired.network}", {"network": {"qos_policy_id": None}}, 501)


async def test_isolated_ports_need_wires_of_their_own(wired: Wired) -> None:
    flavor = {"name": "apart", "ram": 64, "vcpus": 1, "disk": 1, "id": "apart"}
    admin = wired.cloud.compute.as_("admin")
    await admin.post("/flavors", {"flavor": flavor}, 200)
    await admin.post("/flavors/apart/os-extra_specs", {"extra_specs": {"group_policy": "isolate"}}, 200)
    policy = await wired.policy(1)
    server = await wired.server(await wired.port(policy), await wired.port(policy), flavorRef="apart")
    assert (server["status"], "fault" in server) == ("ERROR", True)


async def test_nodes_show_what_they_promise(wired: Wired) -> None:
    agents = (await wired.admin.get("/agents?agent_type=Linux bridge agent"))["agents"]
    assert [agent["resources_synced"] for agent in agents] == [True, True]
    shown = agents[0]["configurations"]
    assert shown["resource_provider_bandwidths"] == {"br-public": {"egress": 1000, "ingress": 1000}}
    assert shown["resource_provider_hypervisors"]["br-public"] == agents[0]["host"]
    assert shown["resource_provider_packet_processing_without_direction"] == {agents[0]["host"]: 100}
    port = await wired.port(await wired.policy(600))
    server = await wired.server(port)
    wired.cloud.nodes.join(server[HOST])
    await wired.cloud.settle()
    assert all((await wired.refusals(1)).values()) is False
    assert (await wired.refusals(1))[server[HOST]], "what it promised is kept, but it gives no more"
    assert await wired.held(server["id"]) == {server[HOST]: {IN: 600}}


async def test_a_second_look_does_nothing(wired: Wired) -> None:
    server = await wired.server(await wired.port(await wired.policy(600)))
    before = await wired.cloud.nodes.held(Kind.MACHINE, server["id"])
    wired.cloud.bus.wake("server", server["id"])
    await wired.cloud.settle()
    assert await wired.cloud.nodes.held(Kind.MACHINE, server["id"]) == before
