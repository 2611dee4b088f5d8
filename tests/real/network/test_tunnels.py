"""One network on two nodes, joined by a tunnel that carries only what it must."""

from __future__ import annotations

import socket

import msgspec
import pytest

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import Fabric, NetworkSpec, NetworkType, PortSpec
from cumulet.drivers.network.linux.announce import announcement
from cumulet.drivers.network.linux.commands import add_namespaces, delete_namespace
from tests.real.network.conftest import MakeWorld
from tests.support.network.dhcp_client import discover
from tests.support.network.fabrics import OPEN, port, tenant_network, with_
from tests.support.network.guests import NOTHING_COMES_SECONDS, SOMETHING_COMES_SECONDS, Place, arrives
from tests.support.network.worlds import LinuxWorld

pytestmark = pytest.mark.root

ELM, OAK = "198.51.100.21", "198.51.100.22"
RED = tenant_network("red", type=NetworkType.VXLAN, segmentation_id=1001)
ANN = port("ann", "red", "10.0.0.10", host="elm", tunnel_address=ELM)
BOB = port("bob", "red", "10.0.0.11", host="oak", tunnel_address=OAK)
CAT = port("cat", "red", "10.0.0.12", host="oak", tunnel_address=OAK)


async def two_nodes(make_world: MakeWorld, fabric: Fabric) -> tuple[LinuxWorld, LinuxWorld]:
    """Joined by a wire that leads nowhere else."""
    elm = make_world(name="elm", tunnel_address=ELM)
    oak = make_world(name="oak", tunnel_address=OAK)
    for world in (elm, oak):
        await world.prepare()
    wire = f"link add name wire type veth peer name wire netns {oak.namespace}"
    await elm.commands.ip(elm.namespace, [wire, f"addr add {ELM}/24 dev wire", "link set dev wire up"])
    await oak.commands.ip(oak.namespace, [f"addr add {OAK}/24 dev wire", "link set dev wire up"])
    for world in (elm, oak):
        await world.start(fabric)
    return elm, oak


def packets(interface: str) -> socket.socket:
    fresh = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
    fresh.bind((interface, 0x0003))
    fresh.setblocking(False)
    return fresh


async def test_guests_of_two_nodes_meet_and_each_node_answers_its_own(make_world: MakeWorld) -> None:
    fabric = Fabric(networks=(RED,), ports=(ANN, BOB), groups=(OPEN,))
    elm, oak = await two_nodes(make_world, fabric)
    assert await elm.guest("ann").ping("10.0.0.11", SOMETHING_COMES_SECONDS)
    assert await oak.guest("bob").ping("10.0.0.10", SOMETHING_COMES_SECONDS)
    for world, name, spec in ((elm, "ann", ANN), (oak, "bob", BOB)):
        told = await discover(world.guest(name), spec.mac, SOMETHING_COMES_SECONDS)
        assert told is not None
        assert told[0] == spec.addresses[0].ip
    # Bob's own node is silent: the other one does not answer for it.
    await oak.driver.apply(with_(fabric, networks=(without_dhcp(),)))
    assert await discover(oak.guest("bob"), BOB.mac, NOTHING_COMES_SECONDS) is None


async def test_questions_for_known_addresses_stay_off_the_tunnel(make_world: MakeWorld) -> None:
    elm, oak = await two_nodes(make_world, Fabric(networks=(RED,), ports=(ANN, BOB), groups=(OPEN,)))
    raw = await oak.outside.do(lambda: packets("wire"))
    for known in ("10.0.0.2", "10.0.0.11"):
        assert await elm.guest("ann").ping(known, SOMETHING_COMES_SECONDS), known
    await elm.guest("ann").ping("10.0.0.200", NOTHING_COMES_SECONDS)
    asked: list[bytes] = []

    def is_for_the_unknown(got: bytes) -> bool:
        inner = got[50:]
        if inner[12:14] == b"\x08\x06":
            asked.append(inner[38:42])
        return bool(asked) and asked[-1] == bytes([10, 0, 0, 200])

    assert await arrives(raw, is_for_the_unknown, SOMETHING_COMES_SECONDS)
    assert asked == [bytes([10, 0, 0, 200])]
    raw.close()


async def test_a_port_that_moves_is_found_at_its_new_node(make_world: MakeWorld) -> None:
    fabric = Fabric(networks=(RED,), ports=(ANN, BOB, CAT), groups=(OPEN,))
    elm, oak = await two_nodes(make_world, fabric)
    assert await elm.guest("ann").ping("10.0.0.12", SOMETHING_COMES_SECONDS)
    moved: PortSpec = msgspec.structs.replace(CAT, host="elm", tunnel_address=ELM)
    after = with_(fabric, ports=(ANN, BOB, moved))
    await oak.driver.apply(after)
    assert oak.driver.tap(CAT.id) not in await oak.commands.links(oak.namespace)
    await elm.plug(moved, after)
    await elm.driver.apply(after)
    await elm.connected()
    assert await elm.guest("ann").ping("10.0.0.12", SOMETHING_COMES_SECONDS)
    assert await oak.guest("bob").ping("10.0.0.12", SOMETHING_COMES_SECONDS)
    # And one that is gone is known no more.
    await oak.driver.remove(Kind.PORT, ANN.id)
    entries = await oak.commands.entries(oak.namespace)
    assert not [entry for entry in entries if ANN.mac in (entry.key, entry.value)]
    assert [entry for entry in entries if moved.mac in (entry.key, entry.value)]


async def test_a_stranger_cannot_speak_into_a_tunnel(make_world: MakeWorld) -> None:
    """Somebody on the same wire, with an address that belongs to no node."""
    fabric = Fabric(networks=(RED,), ports=(ANN, BOB), groups=(OPEN,))
    elm, oak = await two_nodes(make_world, fabric)
    stranger = Place(f"{elm.namespace}-stranger")
    await add_namespaces(elm.commands, [stranger.namespace])
    try:
        await elm.commands.ip(
            elm.namespace,
            [
                f"link add name other type veth peer name other netns {stranger.namespace}",
                "addr add 198.51.100.129/25 dev other",
                "link set dev other up",
            ],
        )
        await elm.commands.ip(
            stranger.namespace,
            ["addr add 198.51.100.130/25 dev other", "link set dev other up", f"route add {ELM} via 198.51.100.129"],
        )
        inner = announcement("10.0.0.11", BOB.mac)
        outer = b"\x08\0\0\0" + (1001 << 8).to_bytes(4, "big") + inner
        heard = await elm.guest("ann").raw()
        await stranger.send(ELM, 4789, outer)
        assert not await arrives(heard, lambda got: got == inner, NOTHING_COMES_SECONDS)
        await oak.outside.send(ELM, 4789, outer)
        assert await arrives(heard, lambda got: got == inner, SOMETHING_COMES_SECONDS)
        heard.close()
    finally:
        await delete_namespace(elm.commands, stranger.namespace)


def without_dhcp() -> NetworkSpec:
    subnet = msgspec.structs.replace(RED.subnets[0], dhcp=False, dhcp_address="")
    return msgspec.structs.replace(RED, subnets=(subnet,))
