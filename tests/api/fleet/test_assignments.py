"""Orders reach a node, its facts come back, and nothing is destroyed without an order."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from cumulet.contracts.assignments import Kind, NodeFacts, Report
from cumulet.contracts.machines import ImageRef
from cumulet.contracts.networks import ElementFacts, GroupSpec
from cumulet.contracts.volumes import VolumeSpec
from cumulet.core.access.rules import Rules
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.errors import BadRequest
from cumulet.lib.clock import SystemClock
from cumulet.services.fleet import assignments, fetching, nodes
from cumulet.services.fleet.errors import JoinRefused, NodeSilent, NodeTaken, NodeUnknown
from cumulet.services.fleet.public import FleetDoor
from cumulet.services.fleet.room import Fleet
from tests.support.clock import JumpingClock
from tests.support.patience import HANG_SECONDS

pytestmark = pytest.mark.db

GROUP = GroupSpec(id="g1")
FAR = "198.51.100.2:5001"


def facts(name: str, address: str = "unix:/nowhere") -> NodeFacts:
    return NodeFacts(
        name=name,
        hypervisor="fake",
        accelerator="fake",
        hypervisor_version=1,
        vcpus=4,
        memory_mib=8192,
        disk_gib=100,
        tunnel_address="198.51.100.1",
        address=address,
    )


@pytest.fixture
async def fleet(database: Database, bus: MemoryBus) -> Fleet:
    room = Fleet(database=database, bus=bus, clock=SystemClock(), rules=Rules({}))
    await nodes.admit(room, facts("one"), "secret")
    return room


def report(sequence: int, text: ElementFacts, *, gone: bool = False) -> Report:
    encoded = msgspec.Raw(msgspec.json.encode(text))
    return Report(kind=Kind.GROUP, key="g1", generation=1, sequence=sequence, facts=encoded, gone=gone)


async def test_an_order_is_fetched_once_and_its_facts_come_back(fleet: Fleet, bus: MemoryBus) -> None:
    door, woken = FleetDoor(fleet), list[str]()
    bus.listen("group", woken.append)
    await door.assign("one", Kind.GROUP, "g1", GROUP, 1)
    first = await fetching.fetch(fleet, "one", 0, 0, 0)
    assert [order.key for order in first.changes] == ["g1"]
    assert msgspec.json.decode(first.changes[0].spec, type=GroupSpec) == GROUP
    await door.assign("one", Kind.GROUP, "g1", GROUP, 1)
    assert (await fetching.fetch(fleet, "one", first.number, 0, 0)).changes == ()

    await assignments.note_reports(fleet, "one", [report(7, ElementFacts(id="g1", up=True))])
    held = await door.held(Kind.GROUP, "g1")
    assert msgspec.json.decode(held[0].facts, type=ElementFacts).up
    assert woken == ["g1"]


async def test_an_older_observation_never_replaces_a_newer_one(fleet: Fleet) -> None:
    door = FleetDoor(fleet)
    await door.assign("one", Kind.GROUP, "g1", GROUP, 1)
    await assignments.note_reports(fleet, "one", [report(7, ElementFacts(id="g1", up=True))])
    await assignments.note_reports(fleet, "one", [report(6, ElementFacts(id="g1", up=False))])
    assert msgspec.json.decode((await door.held(Kind.GROUP, "g1"))[0].facts, type=ElementFacts).up


async def test_what_was_made_once_more_is_not_gone_by_an_earlier_order(fleet: Fleet) -> None:
    """A node says that something is gone while it is ordered there and away again; it may have made it in between."""
    door = FleetDoor(fleet)
    numbers = []
    for generation in (1, 2):
        await door.assign("one", Kind.GROUP, "g1", GROUP, generation)
        await door.withdraw("one", Kind.GROUP, "g1")
        (order,) = (await fetching.fetch(fleet, "one", 0, 0, 0)).changes
        numbers.append(order.number)
    for sequence, (number, left) in enumerate(zip(numbers, (1, 0), strict=True), 7):
        said = msgspec.structs.replace(report(sequence, ElementFacts(id="g1"), gone=True), number=number)
        await assignments.note_reports(fleet, "one", [said])
        assert len(await door.held(Kind.GROUP, "g1")) == left


async def test_a_withdrawn_order_stands_until_the_node_says_it_is_gone(fleet: Fleet) -> None:
    door = FleetDoor(fleet)
    await door.assign("one", Kind.GROUP, "g1", GROUP, 1)
    await assignments.note_reports(fleet, "one", [report(7, ElementFacts(id="g1"), gone=True)])
    assert await door.held(Kind.GROUP, "g1"), "a node may not let go of what it was not told to"
    await door.withdraw("one", Kind.GROUP, "g1")
    assert (await door.held(Kind.GROUP, "g1"))[0].gone
    await assignments.note_reports(fleet, "one", [report(8, ElementFacts(id="g1"), gone=True)])
    assert await door.held(Kind.GROUP, "g1") == []


async def test_a_waiting_node_is_told_at_once(fleet: Fleet) -> None:
    door = FleetDoor(fleet)
    waiting = asyncio.create_task(fetching.fetch(fleet, "one", 0, 0, 30))
    await asyncio.sleep(0)
    await door.assign("one", Kind.GROUP, "g1", GROUP, 1)
    async with asyncio.timeout(HANG_SECONDS):
        assert len((await waiting).changes) == 1


@pytest.mark.parametrize(
    "line", [b"SSH-2.0-OpenSSH_9.2\r\n", b"{}" + b" " * (1 << 17), b'{"status": "\xff"}\n', b"[]\n", b""]
)
async def test_what_a_stranger_says_is_no_answer_of_a_node(fleet: Fleet, line: bytes) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(line)
        writer.write_eof()

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        port = server.sockets[0].getsockname()[1]
        await nodes.join(fleet, await nodes.issue_join_token(fleet), facts("two", f"127.0.0.1:{port}"))
        with pytest.raises(NodeSilent, match=r"no node|instead of answering"):
            await FleetDoor(fleet).ask("two", "diagnostics", machine="m")


async def test_a_token_lets_one_node_join_once(fleet: Fleet) -> None:
    token = await nodes.issue_join_token(fleet)
    secret = await nodes.join(fleet, token, facts("two", FAR))
    assert (await nodes.authenticate(fleet, "two", secret)).name == "two"
    with pytest.raises(NodeUnknown):
        await nodes.authenticate(fleet, "two", "guess")
    with pytest.raises(JoinRefused):
        await nodes.join(fleet, token, facts("three", FAR))
    with pytest.raises(NodeTaken):
        await nodes.join(fleet, await nodes.issue_join_token(fleet), facts("one", FAR))


async def test_tokens_that_nobody_used_are_forgotten(database: Database, bus: MemoryBus) -> None:
    clock = JumpingClock()
    fleet = Fleet(database=database, bus=bus, clock=clock, rules=Rules({}))
    old = await nodes.issue_join_token(fleet)
    clock.jump(nodes.JOIN_SECONDS + 1)
    with pytest.raises(JoinRefused):
        await nodes.join(fleet, old, facts("two", FAR))
    new = await nodes.issue_join_token(fleet)
    async with fleet.database.read() as tx:
        assert await tx.count(nodes.JoinTokenRow) == 1
    await nodes.join(fleet, new, facts("two", FAR))


@pytest.mark.parametrize("address", ["unix:/run/somebody.sock", "local:one"])
async def test_a_node_that_joined_has_no_address_on_the_host_of_the_api(fleet: Fleet, address: str) -> None:
    token = await nodes.issue_join_token(fleet)
    with pytest.raises(BadRequest, match="host:port"):
        await nodes.join(fleet, token, facts("two", address))
    secret = await nodes.join(fleet, token, facts("two", FAR))  # the refusal left the token as it was
    two = await nodes.authenticate(fleet, "two", secret)
    with pytest.raises(BadRequest, match="host:port"):
        await nodes.note_heartbeat(fleet, two, facts("two", address))
    assert [node.facts.address for node in await nodes.nodes(fleet) if node.name == "two"] == [FAR]

    one = await nodes.authenticate(fleet, "one", "secret")
    await nodes.note_heartbeat(fleet, one, facts("one", address))
    assert [node.facts.address for node in await nodes.nodes(fleet) if node.name == "one"] == [address]


async def test_a_node_is_alive_while_it_is_heard(fleet: Fleet) -> None:
    assert not (await nodes.nodes(fleet))[0].alive
    row = await nodes.authenticate(fleet, "one", "secret")
    await nodes.note_heartbeat(fleet, row, facts("one"))
    assert (await nodes.nodes(fleet))[0].alive
    await nodes.set_forced_down(fleet, "one", True)
    assert not (await nodes.nodes(fleet))[0].alive


async def test_a_node_may_have_the_images_that_its_own_orders_name_and_no_other(fleet: Fleet) -> None:
    await nodes.admit(fleet, facts("two"), "another secret")
    image, other = "0a0a0a0a-0000-4000-8000-000000000001", "0a0a0a0a-0000-4000-8000-000000000002"
    content = ImageRef(id=image, sha512="00" * 64, disk_format="raw", size=1)
    await FleetDoor(fleet).assign("one", Kind.VOLUME, "v1", VolumeSpec(id="v1", size_gib=1, image=content), 1)

    assert await assignments.needs_image(fleet, "one", image)
    assert not await assignments.needs_image(fleet, "two", image)
    assert not await assignments.needs_image(fleet, "one", other)
    assert not await assignments.needs_image(fleet, "one", "%")

    await FleetDoor(fleet).withdraw("one", Kind.VOLUME, "v1")
    assert not await assignments.needs_image(fleet, "one", image)


async def test_who_shows_no_secret_is_no_node_even_where_none_was_given(fleet: Fleet) -> None:
    await nodes.admit(fleet, facts("careless"), "")
    for name in ("careless", "one"):
        with pytest.raises(NodeUnknown):
            await nodes.authenticate(fleet, name, "")
