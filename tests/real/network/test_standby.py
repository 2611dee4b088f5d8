"""A router that two nodes hold: it runs on one, and on the other when that is lost, even if it lives on unheard."""

from __future__ import annotations

import msgspec
import pytest

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import Fabric, InterfaceSpec, NetworkType, RouterSpec, StandbySpec, SubnetSpec
from tests.real.network.conftest import MakeWorld
from tests.real.network.test_tunnels import ELM, OAK, two_nodes
from tests.support.network.fabrics import OPEN, leg, mac, port, router, tenant_network, uid, with_
from tests.support.network.guests import NOTHING_COMES_SECONDS, SOMETHING_COMES_SECONDS, eventually
from tests.support.network.worlds import LinuxWorld

pytestmark = pytest.mark.root

TAKEOVER_SECONDS = 15.0
RED = tenant_network("red", type=NetworkType.VXLAN, segmentation_id=1001)
GREEN = msgspec.structs.replace(
    tenant_network("green", type=NetworkType.VXLAN, segmentation_id=1002),
    subnets=(SubnetSpec(id=uid("green v4"), cidr="10.1.0.0/24", version=4, gateway="10.1.0.1", dhcp=False),),
)
BESIDE = msgspec.structs.replace(tenant_network("beside", type=NetworkType.VXLAN, segmentation_id=1003), subnets=())
HOMES = {"elm": (ELM, "169.254.192.1"), "oak": (OAK, "169.254.192.2")}
BOB = port("bob", "red", "10.0.0.11", host="oak", tunnel_address=OAK)
GUS = port("gus", "green", "10.1.0.11", host="oak", tunnel_address=OAK)
PLAIN = router("way", "red", "", gateway=None, next_hops=())
LEGS = (*PLAIN.interfaces, leg("way green", "green", "10.1.0.1/24"))


def way(node: str, priority: int) -> RouterSpec:
    """The router as one of the nodes is told of it."""
    others = tuple(address for name, (_, address) in HOMES.items() if name != node)
    own = InterfaceSpec(
        port_id=uid(f"beside {node}"),
        network_id=BESIDE.id,
        mac=mac(f"beside {node}"),
        addresses=(f"{HOMES[node][1]}/18",),
    )
    return msgspec.structs.replace(
        PLAIN, interfaces=LEGS, standby=StandbySpec(number=7, priority=priority, leg=own, peers=others)
    )


def fabric(runs_on: str) -> Fabric:
    """All ports, as every node is told of them: those of the router are where it runs."""
    tunnel = HOMES[runs_on][0]
    legs = [
        port(name, network, host=runs_on, tunnel_address=tunnel, device_owner="network:router_interface")
        for name, network in (("way inside", "red"), ("way green", "green"))
    ]
    beside = [
        port(f"beside {node}", "beside", host=node, tunnel_address=t, device_owner="network:router_ha_interface")
        for node, (t, _) in HOMES.items()
    ]
    return Fabric(networks=(RED, GREEN, BESIDE), ports=(BOB, GUS, *legs, *beside), groups=(OPEN,))


async def told(world: LinuxWorld, whole: Fabric, priority: int) -> bool:
    """Order it all on a node; whether it says that the router runs there."""
    spec = way(world.node.name, priority)
    facts = await world.driver.apply(with_(whole, routers=(spec,)))
    faults = [fact.fault for elements in facts.values() for fact in elements if fact.fault]
    assert not faults, faults
    return facts[Kind.ROUTER][0].active


async def test_another_node_takes_over_and_only_one_runs_it(make_world: MakeWorld) -> None:
    elm, oak = await two_nodes(make_world, fabric("elm"))
    priorities = {"elm": 100, "oak": 90}

    async def active(runs_on: str) -> list[str]:
        return [
            world.node.name for world in (elm, oak) if await told(world, fabric(runs_on), priorities[world.node.name])
        ]

    async def runs_on(name: str) -> bool:
        return await active(name) == [name]

    assert await eventually(lambda: runs_on("elm"), TAKEOVER_SECONDS)
    bob = oak.guest("bob")
    assert await bob.ping("10.1.0.11", SOMETHING_COMES_SECONDS)
    # The node is lost to the other, but lives: what it still holds is nobody's loss.
    await elm.commands.ip(elm.namespace, ["link set dev wire down"])
    assert not await bob.ping("10.1.0.11", NOTHING_COMES_SECONDS)
    await oak.driver.turned()
    # The network itself finds the new way; nobody has told the nodes yet.
    assert await bob.ping("10.1.0.11", SOMETHING_COMES_SECONDS)
    assert "oak" in await active("oak")
    assert await bob.ping("10.1.0.11", SOMETHING_COMES_SECONDS)
    await elm.commands.ip(elm.namespace, ["link set dev wire up"])

    async def one_runs() -> bool:
        return len(await active("oak")) == 1

    assert await eventually(one_runs, TAKEOVER_SECONDS)
    (last,) = await active("oak")
    assert await eventually(lambda: runs_on(last), TAKEOVER_SECONDS)
    assert await bob.ping("10.1.0.11", SOMETHING_COMES_SECONDS)


async def test_what_runs_nowhere_else_has_no_addresses_until_it_runs(make_world: MakeWorld) -> None:
    """Of a router that becomes one of several nodes' nothing is left of what it was; and back."""
    elm, oak = await two_nodes(make_world, fabric("elm"))
    alone = msgspec.structs.replace(PLAIN, interfaces=LEGS)
    whole = fabric("elm")
    for world in (elm, oak):
        await world.driver.apply(with_(whole, routers=(alone,) if world is elm else ()))
    assert await oak.guest("bob").ping("10.1.0.11", SOMETHING_COMES_SECONDS)
    # Oak has the higher priority and begins, so that elm must let go.
    assert await eventually(lambda: told(oak, fabric("oak"), 100), TAKEOVER_SECONDS)
    await told(elm, fabric("oak"), 90)

    async def holds(world: LinuxWorld) -> bool:
        shown = await world.commands.other(["ip", "addr", "show"], f"{world.namespace}-qrouter-{PLAIN.id}")
        return b"10.1.0.1/24" in shown

    assert await eventually(lambda: holds(oak), TAKEOVER_SECONDS)
    assert not await holds(elm)
    assert await oak.guest("bob").ping("10.1.0.11", SOMETHING_COMES_SECONDS)
    await oak.driver.remove(Kind.ROUTER, PLAIN.id)
    assert await eventually(lambda: holds(elm), TAKEOVER_SECONDS)
    await elm.driver.apply(with_(fabric("elm"), routers=(alone,)))
    assert await holds(elm)
    assert not (elm.folder / "keepalived" / PLAIN.id).exists()
