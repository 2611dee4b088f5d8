"""A hostile guest: what it may say, what it may hear, and what ends when a right is taken from it."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import struct

import msgspec
import pytest
import pytest_asyncio

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import Fabric, SubnetSpec
from cumulet.drivers.network.linux.announce import announcement
from tests.support.network.fabrics import EVERYTHING_OUT, OPEN, group, mac, port, rule, tenant_network, uid, with_
from tests.support.network.guests import (
    NOTHING_COMES_SECONDS,
    SOMETHING_COMES_SECONDS,
    arrives,
    checksum,
    frame,
    udp_packet,
)
from tests.support.network.worlds import LinuxWorld

pytestmark = pytest.mark.root

IP4, ARP, IP6 = 0x0800, 0x0806, 0x86DD
RED = msgspec.structs.replace(
    tenant_network("red"),
    subnets=(
        *tenant_network("red").subnets,
        SubnetSpec(id=uid("red v6"), cidr="fd00:1::/64", version=6, dhcp=False),
    ),
)
EVE, BOB = port("eve", "red", "10.0.0.66", "fd00:1::66"), port("bob", "red", "10.0.0.11", "fd00:1::11")


@pytest_asyncio.fixture
async def fabric(world: LinuxWorld) -> Fabric:
    """Eve and Bob, who let everything in and out, so that only the guard stands between them."""
    made = Fabric(networks=(RED,), ports=(EVE, BOB), groups=(OPEN,))
    await world.start(made)
    return made


def from_eve(kind: int, body: bytes, source: str = EVE.mac, tag: bytes = b"") -> bytes:
    return frame(source, BOB.mac, kind, body, tag)


def icmpv6(source: str, kind: int, body: bytes, hops: int = 255) -> bytes:
    start, end = ipaddress.IPv6Address(source).packed, ipaddress.IPv6Address("fd00:1::11").packed
    message = struct.pack("!BBH", kind, 0, 0) + body
    total = checksum(start + end + struct.pack("!IBBBB", len(message), 0, 0, 0, 58) + message)
    message = message[:2] + struct.pack("!H", total) + message[4:]
    return struct.pack("!IHBB", 6 << 28, len(message), 58, hops) + start + end + message


FORGERY = b"not from Eve at all"
HONEST = {
    "a packet": from_eve(IP4, udp_packet("10.0.0.66", "10.0.0.11", 5, 5)),
    "an announcement of itself": announcement("10.0.0.66", EVE.mac),
    "an echo request of version 6": from_eve(IP6, icmpv6("fd00:1::66", 128, b"\0" * 4)),
    "a neighbour advertisement for itself": from_eve(
        IP6, icmpv6("fd00:1::66", 136, struct.pack("!I", 1 << 29) + ipaddress.IPv6Address("fd00:1::66").packed)
    ),
}
FORGED = {
    "another's address": from_eve(IP4, udp_packet("10.0.0.99", "10.0.0.11", 5, 5, FORGERY)),
    "another's MAC": from_eve(IP4, udp_packet("10.0.0.66", "10.0.0.11", 5, 5, FORGERY), source=mac("zoe")),
    "an announcement of the gateway": announcement("10.0.0.1", EVE.mac),
    "an announcement with another's MAC": frame(EVE.mac, BOB.mac, ARP, announcement("10.0.0.66", mac("zoe"))[14:]),
    "a tagged frame": from_eve(
        IP4, udp_packet("10.0.0.66", "10.0.0.11", 5, 5, FORGERY), tag=struct.pack("!HH", 0x8100, 5)
    ),
    "a frame of no known kind": from_eve(0x88CC, b"\0" * 60),
    "an offer of DHCP": from_eve(IP4, udp_packet("10.0.0.66", "10.0.0.11", 67, 68)),
    "another's address of version 6": from_eve(IP6, icmpv6("fd00:1::99", 128, b"\0" * 4)),
    "a router advertisement": from_eve(IP6, icmpv6("fd00:1::66", 134, b"\x40\0\x07\x08" + b"\0" * 8)),
    "a redirect": from_eve(IP6, icmpv6("fd00:1::66", 137, b"\0" * 36)),
    "a neighbour advertisement for another": from_eve(
        IP6, icmpv6("fd00:1::66", 136, struct.pack("!I", 1 << 29) + ipaddress.IPv6Address("fd00:1::1").packed)
    ),
}


async def test_only_honest_frames_leave_a_port(world: LinuxWorld, fabric: Fabric) -> None:
    sender, receiver = await world.guest("eve").raw(), await world.guest("bob").raw()
    try:
        for what, forged in FORGED.items():
            sender.send(forged)
            for name, honest in HONEST.items():
                # What was sent later has come, so what was sent before it never will.
                sender.send(honest)
                seen: list[bytes] = []

                def is_honest(got: bytes, wanted: bytes = honest, kept: list[bytes] = seen) -> bool:
                    kept.append(got)
                    return got == wanted

                assert await arrives(receiver, is_honest, SOMETHING_COMES_SECONDS), name
                assert not [got for got in seen if got == forged or FORGERY in got], what
    finally:
        sender.close()
        receiver.close()


async def test_allowed_pairs_may_speak_too(world: LinuxWorld, fabric: Fabric) -> None:
    pairs = (("", "10.0.0.99/32"), (mac("zoe"), "10.7.0.0/16"))
    await world.driver.apply(with_(fabric, ports=(msgspec.structs.replace(EVE, allowed_pairs=pairs), BOB)))
    sender, receiver = await world.guest("eve").raw(), await world.guest("bob").raw()
    try:
        for allowed in (
            from_eve(IP4, udp_packet("10.0.0.99", "10.0.0.11", 5, 5)),
            from_eve(IP4, udp_packet("10.7.1.2", "10.0.0.11", 5, 5), source=mac("zoe")),
            announcement("10.7.0.1", mac("zoe")),
        ):
            sender.send(allowed)
            assert await arrives(receiver, allowed.__eq__, SOMETHING_COMES_SECONDS)
        forged = from_eve(IP4, udp_packet("10.7.1.2", "10.0.0.11", 5, 5))
        sender.send(forged)
        assert not await arrives(receiver, lambda got: got == forged, NOTHING_COMES_SECONDS)
    finally:
        sender.close()
        receiver.close()


async def test_a_tap_that_nobody_ordered_is_mute(world: LinuxWorld, fabric: Fabric) -> None:
    bridge = f"brq{RED.id[:11]}"
    stranger = await world.plug(port("stranger", "red", "10.0.0.44"), fabric)
    tap = world.driver.tap(stranger.port.id)
    await world.commands.ip(world.namespace, [f"link set dev {tap} master {bridge}"])
    await world.connected()
    assert not await world.reaches("red", "10.0.0.44", "10.0.0.11", "icmp", 8, expected=False)
    assert not await world.reaches("red", "10.0.0.11", "10.0.0.44", "icmp", 8, expected=False)


async def test_no_guest_speaks_to_its_node(world: LinuxWorld, fabric: Fabric) -> None:
    """It may know the MAC of its bridge and an address of the node."""
    await world.commands.ip(world.namespace, ["addr add 192.0.2.9/32 dev lo"])
    links = await world.commands.links(world.namespace)
    gateway = links[f"brq{RED.id[:11]}"].mac
    await world.guest("eve").lines(
        world.commands, "route add 192.0.2.9/32 via 10.0.0.1", f"neigh add 10.0.0.1 lladdr {gateway} dev eth0"
    )
    await world.outside.listen("udp", 5000)
    await world.guest("eve").send("192.0.2.9", 5000)
    assert await world.outside.receive(5000, NOTHING_COMES_SECONDS) is None
    await world.outside.send("192.0.2.9", 5000)
    assert await world.outside.receive(5000) is not None


WEB = rule("ingress", "tcp", 80, remote_group=uid("friends"))
STRICT = group("strict", EVERYTHING_OUT, WEB)
FRIENDS = group("friends", members=("10.0.0.66/32",))


def friendly() -> Fabric:
    guarded = msgspec.structs.replace(BOB, groups=(STRICT.id,))
    friend = msgspec.structs.replace(EVE, groups=(FRIENDS.id, OPEN.id))
    return Fabric(networks=(RED,), ports=(friend, guarded), groups=(OPEN, STRICT, FRIENDS))


def without_the_rule(fabric: Fabric) -> Fabric:
    return with_(fabric, groups=(OPEN, msgspec.structs.replace(STRICT, rules=(EVERYTHING_OUT,)), FRIENDS))


def without_the_member(fabric: Fabric) -> Fabric:
    return with_(fabric, groups=(OPEN, STRICT, msgspec.structs.replace(FRIENDS, members=())))


@pytest.mark.parametrize("change", [without_the_rule, without_the_member])
async def test_an_established_flow_ends_with_the_right_it_began_by(world: LinuxWorld, change: object) -> None:
    assert callable(change)
    fabric = friendly()
    await world.start(fabric)
    eve, bob = world.guest("eve"), world.guest("bob")
    await bob.listen("tcp", 80)
    await eve.listen("tcp", 81)
    inward = await eve.connect("10.0.0.11", 80, SOMETHING_COMES_SECONDS)
    assert inward is not None
    served = await bob.accept(80)
    outward = await bob.connect("10.0.0.66", 81, SOMETHING_COMES_SECONDS)
    assert outward is not None
    accepted = await eve.accept(81)

    await world.driver.apply(change(fabric))

    # Not even by the server speaking on: the middle of a connection does not begin a new one.
    served.send(b"still there?")
    assert await heard(inward, NOTHING_COMES_SECONDS) == b""
    inward.send(b"and me?")
    assert await heard(served, NOTHING_COMES_SECONDS) == b""
    # What another rule allows goes on.
    accepted.send(b"hello")
    assert await heard(outward, SOMETHING_COMES_SECONDS) == b"hello"

    await world.driver.apply(fabric)
    again = await eve.connect("10.0.0.11", 80, SOMETHING_COMES_SECONDS)
    assert again is not None
    for opened in (inward, served, outward, accepted, again):
        opened.close()


async def test_a_machine_that_moved_here_goes_on_with_its_connections(world: LinuxWorld) -> None:
    fabric = friendly()
    bob = fabric.ports[1]
    await world.start(with_(fabric, ports=(fabric.ports[0],)))
    await world.plug(bob, fabric)
    # Its connections began elsewhere: here, before anybody tracks them.
    eve_end, bob_end = await unseen_connection(world)
    await world.driver.apply(fabric)
    await world.connected()
    eve_end.send(b"hello")
    assert await heard(bob_end, SOMETHING_COMES_SECONDS) == b"hello"
    bob_end.send(b"welcome")
    assert await heard(eve_end, SOMETHING_COMES_SECONDS) == b"welcome"
    for opened in (eve_end, bob_end):
        opened.close()


async def unseen_connection(world: LinuxWorld) -> tuple[socket.socket, socket.socket]:
    """A connection between the two guests over a wire of their own, which then goes away."""
    eve, bob = world.guest("eve"), world.guest("bob")
    await world.commands.ip(
        eve.namespace, [f"link add name wire type veth peer name wire netns {bob.namespace}", "link set dev wire up"]
    )
    await bob.lines(world.commands, "link set dev wire up", "route add 10.0.0.66/32 dev wire")
    await eve.lines(world.commands, "route add 10.0.0.11/32 dev wire")
    await bob.listen("tcp", 80)
    opened = await eve.connect("10.0.0.11", 80, SOMETHING_COMES_SECONDS)
    assert opened is not None
    accepted = await bob.accept(80)
    await eve.lines(world.commands, "link del dev wire")
    return opened, accepted


async def test_the_middle_of_a_connection_may_come_in_where_its_beginning_may(world: LinuxWorld) -> None:
    """So that a client of an address that moved to another guest learns that its connection is gone."""
    await world.start(friendly())
    sender = await world.guest("eve").raw()
    heard_of: set[int] = set()

    def is_reset(got: bytes) -> bool:
        if got[12:14] == b"\x08\x00" and got[23] == 6 and got[47] & 4:
            heard_of.add(int.from_bytes(got[34:36], "big"))
        return 80 in heard_of

    for number in (81, 80):
        sender.send(from_eve(IP4, acknowledgement("10.0.0.66", "10.0.0.11", number)))
    assert await arrives(sender, is_reset, SOMETHING_COMES_SECONDS)
    assert heard_of == {80}
    sender.close()


def acknowledgement(source: str, destination: str, number: int) -> bytes:
    """A TCP segment of a connection that nobody has seen begin."""
    segment = struct.pack("!HHIIBBHHH", 5555, number, 1000, 2000, 5 << 4, 0x10, 1000, 0, 0)
    ends = socket.inet_aton(source) + socket.inet_aton(destination)
    total = checksum(ends + struct.pack("!HH", 6, len(segment)) + segment)
    packet = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(segment), 7, 0, 64, 6, 0)
    header = packet[:10] + struct.pack("!H", checksum(packet + ends)) + ends
    return header + segment[:16] + struct.pack("!H", total) + segment[18:]


async def test_a_stateless_group_lets_no_answer_pass_by_itself(world: LinuxWorld) -> None:
    plain = group("plain", EVERYTHING_OUT, stateful=False)
    fabric = Fabric(
        networks=(RED,), ports=(msgspec.structs.replace(EVE, groups=(plain.id,)), BOB), groups=(OPEN, plain)
    )
    await world.start(fabric)
    assert not await world.reaches("red", "10.0.0.66", "10.0.0.11", "tcp", 80, expected=False)
    answers = group("plain", EVERYTHING_OUT, rule("ingress", "tcp", 1024, 65535), stateful=False)
    await world.driver.apply(with_(fabric, groups=(OPEN, answers)))
    assert await world.reaches("red", "10.0.0.66", "10.0.0.11", "tcp", 80, expected=True)


async def test_version_6_is_filtered_as_well(world: LinuxWorld) -> None:
    closed = group("strict", rule("egress", version=6), rule("ingress", "tcp", 80, version=6))
    fabric = Fabric(
        networks=(RED,),
        ports=(
            msgspec.structs.replace(EVE, groups=(closed.id,)),
            msgspec.structs.replace(BOB, groups=(closed.id,)),
        ),
        groups=(closed,),
    )
    await world.start(fabric)
    eve, bob = world.guest("eve"), world.guest("bob")
    for number in (80, 81):
        await bob.listen("tcp", number, socket.AF_INET6)
    opened = await eve.connect("fd00:1::11", 80, SOMETHING_COMES_SECONDS)
    assert opened is not None
    opened.close()
    assert await eve.connect("fd00:1::11", 81, NOTHING_COMES_SECONDS) is None


async def test_limits_and_marks(world: LinuxWorld) -> None:
    limited = msgspec.structs.replace(EVE, egress_kbps=800, dscp=10)
    slow = msgspec.structs.replace(BOB, ingress_kbps=800)
    fabric = Fabric(networks=(RED,), ports=(limited, BOB), groups=(OPEN,))
    await world.start(fabric)
    eve, bob = world.guest("eve"), world.guest("bob")
    raw = await bob.raw()
    await eve.send("10.0.0.11", 5000)
    marked = await marks(raw, 1)
    assert marked == [10 << 2]
    sent = 200
    for _ in range(sent):
        await eve.send("10.0.0.11", 5000, b"x" * 1000)
    assert 20 <= await count(raw) < sent
    await world.driver.apply(with_(fabric, ports=(EVE, slow)))
    assert b'"kind":"tbf"' in await world.commands.queues(world.namespace)
    await eve.send("10.0.0.11", 5000)
    assert await marks(raw, 1) == [0]
    await world.driver.apply(with_(fabric, ports=(EVE, BOB)))
    assert b'"kind":"tbf"' not in await world.commands.queues(world.namespace)
    raw.close()


def is_to_5000(got: bytes) -> bool:
    return got[12:14] == b"\x08\x00" and got[23] == 17 and got[36:38] == struct.pack("!H", 5000)


async def marks(raw: socket.socket, number: int) -> list[int]:
    found: list[int] = []

    def noted(got: bytes) -> bool:
        if is_to_5000(got):
            found.append(got[15])
        return len(found) == number

    await arrives(raw, noted, SOMETHING_COMES_SECONDS)
    return found


async def count(raw: socket.socket) -> int:
    number = 0
    while await arrives(raw, is_to_5000, NOTHING_COMES_SECONDS):
        number += 1
    return number


async def heard(opened: socket.socket, seconds: float) -> bytes:
    try:
        async with asyncio.timeout(seconds):
            return await asyncio.get_running_loop().sock_recv(opened, 100)
    except (TimeoutError, OSError):
        return b""


async def test_addresses_of_a_port_that_went_are_free_of_its_flows(world: LinuxWorld) -> None:
    fabric = friendly()
    await world.start(fabric)
    await world.guest("bob").listen("tcp", 80)
    opened = await world.guest("eve").connect("10.0.0.11", 80, SOMETHING_COMES_SECONDS)
    assert opened is not None
    assert b"10.0.0.11" in await world.commands.flows(world.namespace)
    opened.close()
    await world.driver.remove(Kind.PORT, BOB.id)
    assert b"10.0.0.11" not in await world.commands.flows(world.namespace)


@pytest.mark.parametrize("side", ["egress_kpps", "ingress_kpps"])
async def test_packets_are_counted_in_both_directions(world: LinuxWorld, fabric: Fabric, side: str) -> None:
    sender, receiver = world.guest("eve"), world.guest("bob")
    limited = EVE if side == "egress_kpps" else BOB
    await receiver.listen("udp", 9)

    async def arrived(number: int) -> int:
        """How many of so many packets, sent at once, come through."""

        def send() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
                for _ in range(number):
                    opened.sendto(b"x", ("10.0.0.11", 9))

        await sender.do(send)
        found = 0
        while await receiver.receive(9, NOTHING_COMES_SECONDS):
            found += 1
        return found

    await sender.ping("10.0.0.11", SOMETHING_COMES_SECONDS)
    assert await arrived(200) == 200
    slow = tuple(msgspec.structs.replace(p, **{side: 1}) if p.id == limited.id else p for p in fabric.ports)
    await world.driver.apply(with_(fabric, ports=slow))
    # A tenth of a second's worth at once, and a packet for each millisecond that sending took.
    assert 100 <= await arrived(2000) < 1000
    await world.driver.apply(fabric)
    assert await arrived(200) == 200
