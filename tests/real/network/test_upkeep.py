"""An operator's hundredth day: nothing runs without need, restarts interrupt nobody, what is removed leaves nothing."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cumulet.contracts.assignments import Kind
from cumulet.contracts.networks import Fabric, SubnetSpec
from cumulet.drivers.network.linux.commands import Commands, namespaces
from cumulet.drivers.network.linux.driver import LinuxNetwork
from cumulet.drivers.network.linux.probe import Unfit, probe
from cumulet.drivers.network.linux.sandbox import remove_namespace
from cumulet.lib import process
from cumulet.lib.netns import inside
from tests.support.network.fabrics import (
    OPEN,
    external_network,
    group,
    leg,
    port,
    router,
    rule,
    tenant_network,
    uid,
    with_,
)
from tests.support.network.guests import SOMETHING_COMES_SECONDS
from tests.support.network.worlds import CountingRun, LinuxWorld

pytestmark = pytest.mark.root

_TUNSETIFF, _IFF_TAP, _IFF_NO_PI = 0x400454CA, 0x0002, 0x1000


def whole() -> Fabric:
    """Something of everything."""
    red = tenant_network("red")
    six = SubnetSpec(
        id=uid("red v6"),
        cidr="fd00:1::/64",
        version=6,
        gateway="fd00:1::1",
        dhcp_address="fd00:1::2",
        ra_mode="slaac",
        address_mode="slaac",
    )
    return Fabric(
        networks=(external_network(), msgspec.structs.replace(red, subnets=(*red.subnets, six))),
        ports=(port("ann", "red", "10.0.0.10"), port("bob", "red", "10.0.0.11")),
        groups=(OPEN,),
        routers=(
            router(
                "way",
                "red",
                "198.51.100.11",
                ("198.51.100.101", "10.0.0.10"),
                interfaces=(leg("way inside", "red", "10.0.0.1/24", "fd00:1::1/64"),),
            ),
        ),
    )


def servers(world: LinuxWorld) -> list[int]:
    """The numbers of the processes that work for this node."""
    kept = [path.read_bytes() for path in (world.folder / "dnsmasq").glob("*/process")]
    return [msgspec.json.decode(text)["identity"]["pid"] for text in kept]


async def test_what_is_unchanged_costs_nothing_and_a_port_costs_little(world: LinuxWorld) -> None:
    fabric = whole()
    await world.start(fabric)
    world.run.ran.clear()
    again = msgspec.json.decode(msgspec.json.encode(fabric), type=Fabric)
    await world.driver.apply(again)
    assert world.run.ran == []
    more = with_(fabric, ports=(*fabric.ports, port("cat", "red", "10.0.0.12")))
    await world.driver.apply(more)
    assert len(world.run.ran) <= 4, world.run.ran
    assert len([command for command in world.run.ran if command.startswith("nft")]) == 1
    world.run.ran.clear()
    # A smaller fabric asks for nothing: what it does not name is left alone.
    await world.driver.apply(fabric)
    assert world.run.ran == []


async def test_a_restart_finds_everything_right_and_touches_nothing(world: LinuxWorld) -> None:
    fabric = whole()
    await world.start(fabric)
    await world.guest("ann").listen("tcp", 80)
    connection = await world.outside.connect("198.51.100.101", 80, SOMETHING_COMES_SECONDS)
    assert connection is not None
    accepted = await world.guest("ann").accept(80)
    kept = sorted((world.folder / "dnsmasq").glob("*/process"))
    before = [path.read_bytes() for path in kept]
    assert len(before) == 2

    await world.restart()
    world.run.ran.clear()
    facts = await world.driver.apply(fabric)
    assert not [fact for elements in facts.values() for fact in elements if fact.fault]
    assert [path.read_bytes() for path in kept] == before
    changing = [c for c in world.run.ran if "-probe" not in c and ("<<<" in c) and not c.startswith("nft")]
    assert [c.partition("<<< ")[2].strip() for c in changing if "tap0" not in c] == ["link set lo up"]
    connection.send(b"hello")
    async with asyncio.timeout(SOMETHING_COMES_SECONDS):
        assert await asyncio.get_running_loop().sock_recv(accepted, 10) == b"hello"
    connection.close()
    accepted.close()


async def test_a_server_whose_starter_did_not_live_to_write_it_down_is_replaced(world: LinuxWorld) -> None:
    """Killed between two lines, and then the order changed."""
    fabric = whole()
    await world.start(fabric)
    before = [found for pid in servers(world) if (found := process.identify(pid))]
    await world.driver.close()
    for kept in (world.folder / "dnsmasq").glob("*/process"):
        pid = msgspec.json.decode(kept.read_bytes())["identity"]["pid"]
        arguments = Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
        kept.with_name("starting").write_bytes(msgspec.json.encode(arguments))
        kept.unlink()
    await world.restart()
    red = fabric.networks[1]
    changed = with_(fabric, networks=(fabric.networks[0], msgspec.structs.replace(red, dns_domain="example.org.")))
    facts = await world.driver.apply(changed)
    assert not [fact for elements in facts.values() for fact in elements if fact.fault]
    assert len(servers(world)) == len(before)
    assert not [one for one in before if process.is_alive(one)]


async def test_rules_that_grew_step_by_step_are_those_written_at_once(world: LinuxWorld) -> None:
    red = tenant_network("red")
    friends, wide = group("friends"), group("friends", members=("10.0.0.0/25", "10.0.0.200/32"))
    club = group("club", rule("ingress", "tcp", 80, remote_group=friends.id), rule("egress"))
    ann = port("ann", "red", "10.0.0.10", groups=(club.id,))
    bob = port("bob", "red", "10.0.0.11", groups=(club.id, OPEN.id), egress_kbps=800)
    spoken = msgspec.structs.replace(ann, allowed_pairs=(("", "10.0.0.128/25"),), security=True)
    steps = (
        Fabric(networks=(red,), ports=(ann,), groups=(club, friends)),
        Fabric(networks=(red,), ports=(ann, bob), groups=(club, wide, OPEN)),
        Fabric(networks=(red, tenant_network("blue")), ports=(spoken, bob), groups=(friends,)),
        Fabric(ports=(msgspec.structs.replace(bob, security=False),), groups=(wide, group("club", rule("egress")))),
    )
    for fabric in steps:
        facts = await world.driver.apply(fabric)
        assert not [fact for elements in facts.values() for fact in elements if fact.fault]
    await world.driver.remove(Kind.GROUP, OPEN.id)
    grown = await rules_in_force(world)
    await world.restart()
    await world.driver.apply(Fabric())
    assert await rules_in_force(world) == grown
    assert any(ann.id in str(name) for name in grown)


async def rules_in_force(world: LinuxWorld) -> dict[str, list[str]]:
    """What each chain says and each set holds, but for those that hold a port for a while only."""
    shown = json.loads(await world.commands.other(["nft", "-j", "list", "ruleset"], world.namespace))
    found: dict[str, list[str]] = {}
    for item in shown["nftables"]:
        for kind in ("chain", "set", "map"):
            if kind in item and item[kind]["name"] != "young":
                own = {name: value for name, value in item[kind].items() if name not in ("handle", "elem")}
                elements = sorted(json.dumps(element) for element in item[kind].get("elem", ()))
                found[f"{kind} {own['family']} {own['name']}"] = [json.dumps(own), *elements]
    for item in shown["nftables"]:
        if "rule" in item:
            found[f"chain {item['rule']['family']} {item['rule']['chain']}"].append(json.dumps(item["rule"]["expr"]))
    return found


async def test_what_somebody_broke_is_mended_when_we_look_again(world: LinuxWorld) -> None:
    now = 0.0
    world.driver = LinuxNetwork(world.node, world.folder, run=world.run, monotonic=lambda: now)
    fabric = whole()
    await world.start(fabric)
    namespace = f"{world.namespace}-qrouter-{uid('way')}"
    leg = f"qg-{uid('way outside')[:11]}"
    await world.commands.ip(
        namespace, [f"addr del 198.51.100.101/32 dev {leg}", "route del default", "route add 10.5.0.0/16 dev lo"]
    )
    await world.commands.nft(world.namespace, "flush chain bridge cumulet unforged")
    await world.commands.ip(world.namespace, [f"link del dev {world.driver.tap(uid('bob'))}"])
    await world.driver.apply(fabric)
    assert not await world.outside.ping("198.51.100.101", 0.1)
    now = 601.0
    await world.driver.apply(fabric)
    assert await world.outside.ping("198.51.100.101", SOMETHING_COMES_SECONDS)
    assert (await world.commands.interior(namespace)).routes.keys() == {"0.0.0.0/0"}
    assert world.driver.tap(uid("bob")) in await world.commands.links(world.namespace)
    chain = await world.commands.other(["nft", "list", "chain", "bridge", "cumulet", "unforged"], world.namespace)
    assert b"@guard" in chain


async def test_what_is_removed_leaves_nothing(world: LinuxWorld) -> None:
    fabric = whole()
    await world.prepare()
    empty = await world.commands.links(world.namespace)
    await world.start(fabric)
    assert len(world.driver.metadata_places()) == 3
    numbers = servers(world)
    for kind, specs in (
        (Kind.PORT, fabric.ports),
        (Kind.ROUTER, fabric.routers),
        (Kind.GROUP, fabric.groups),
        (Kind.NETWORK, fabric.networks),
    ):
        for spec in specs:
            await world.driver.remove(kind, spec.id)
    assert (await world.commands.links(world.namespace)).keys() == empty.keys()
    assert {name for name in namespaces() if name.startswith(f"{world.namespace}-q")} == set()
    assert [number for number in numbers if process.identify(number)] == []
    assert not list((world.folder / "dnsmasq").iterdir())
    rules = await world.commands.other(["nft", "list", "ruleset"], world.namespace)
    assert not [spec for spec in fabric.ports if spec.id.encode() in rules]
    assert world.driver.metadata_places() == ()


async def test_what_nobody_remembers_is_found_and_can_be_removed(world: LinuxWorld) -> None:
    fabric = whole()
    await world.start(fabric)
    (world.folder / "held.json").unlink()
    await world.restart()
    found = await world.driver.found()
    assert found[Kind.NETWORK] == sorted(n.id for n in fabric.networks)
    assert found[Kind.PORT] == sorted(p.id for p in fabric.ports)
    assert found[Kind.ROUTER] == [fabric.routers[0].id]
    for kind in (Kind.PORT, Kind.ROUTER, Kind.NETWORK):
        for key in found[kind]:
            await world.driver.remove(kind, key)
    assert not any((await world.driver.found()).values())


async def test_a_whole_node_is_swept_away(world: LinuxWorld) -> None:
    await world.start(whole())
    numbers = servers(world)
    await remove_namespace(world.commands, world.namespace, world.folder)
    mine = {name for name in namespaces() if name.startswith(world.namespace)}
    assert mine == {guest.namespace for guest in world.guests.values()}
    assert [number for number in numbers if process.identify(number)] == []


async def test_a_real_tap_is_made_for_a_machine(world: LinuxWorld) -> None:
    """What QEMU does: open the tap by its name. Here it asks who has the address of the DHCP server."""
    spec = port("ann", "red", "10.0.0.10")
    fabric = Fabric(networks=(tenant_network("red"),), ports=(spec,), groups=(OPEN,))
    await world.prepare()
    facts = await world.driver.apply(fabric)
    assert facts[Kind.PORT][0].up
    name = world.driver.tap(spec.id)

    def open_tap() -> int:
        descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
        fcntl.ioctl(descriptor, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TAP | _IFF_NO_PI))
        return descriptor

    descriptor = await inside(world.namespace, open_tap)
    try:
        hardware = bytes.fromhex(spec.mac.replace(":", ""))
        asked = struct.pack("!HHHBBH", 0x0806, 1, 0x0800, 6, 4, 1) + hardware + bytes([10, 0, 0, 10]) + b"\0" * 6
        question = b"\xff" * 6 + hardware + asked + bytes([10, 0, 0, 2])
        async with asyncio.timeout(SOMETHING_COMES_SECONDS):
            while True:
                os.write(descriptor, question)
                await asyncio.sleep(0.02)
                if answered(descriptor, bytes([10, 0, 0, 2])):
                    break
    finally:
        os.close(descriptor)


def answered(descriptor: int, address: bytes) -> bool:
    while True:
        try:
            got = os.read(descriptor, 2048)
        except BlockingIOError:
            return False
        if got[12:14] == b"\x08\x06" and got[20:22] == b"\0\x02" and got[28:32] == address:
            return True


async def test_everything_is_tried_out_and_nothing_stays(world: LinuxWorld) -> None:
    findings = {finding.name: finding for finding in await probe(Commands(), world.node)}
    assert all(finding.works for finding in findings.values() if finding.needed), findings
    assert "filtering, tried with a packet" in findings
    assert not [name for name in namespaces() if name.startswith(world.namespace)]


async def test_a_machine_that_lacks_a_program_is_told_its_package(world: LinuxWorld) -> None:
    def which(name: str) -> str | None:
        return None if name == "dnsmasq" else f"/usr/sbin/{name}"

    lacking = [finding for finding in await probe(Commands(), world.node, which=which) if not finding.works]
    assert [finding.remedy for finding in lacking] == ["install the package dnsmasq-base"]


async def test_a_kernel_that_does_not_filter_is_refused(world: LinuxWorld) -> None:
    """One that takes every rule, and does not tell the filter what the tracker thinks."""

    class Deaf(CountingRun):
        async def __call__(self, argv: Sequence[str], **how: Any) -> process.Completed:
            if how.get("input"):
                how["input"] = how["input"].replace(b"ct state new meta mark set 32", b"meta mark set 0")
            return await super().__call__(argv, **how)

    driver = LinuxNetwork(world.node, world.folder, run=Deaf())
    with pytest.raises(Unfit, match="br_netfilter"):
        await driver.apply(whole())
    assert not [name for name in await world.commands.links(world.namespace) if name != "lo"]
