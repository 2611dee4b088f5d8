"""What is said about a network reaches every node that holds it, and nobody else; each change once."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

from cumulet.contracts.assignments import Assignments, Kind
from cumulet.contracts.networks import NetworkSpec, NetworkType, PortSpec
from cumulet.core.access.rules import Rules
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.lib.clock import SystemClock
from cumulet.services.fleet import fetching, nodes, notices
from cumulet.services.fleet.public import FleetDoor
from cumulet.services.fleet.room import Fleet
from tests.api.fleet.test_assignments import facts
from tests.support.patience import HANG_SECONDS

pytestmark = pytest.mark.db

RED, BLUE = (NetworkSpec(id=name, type=NetworkType.VXLAN) for name in ("red", "blue"))


def place(key: str, host: str) -> PortSpec:
    return PortSpec(id=key, network_id="red", mac="fa:16:3e:00:00:01", host=host)


@pytest.fixture
async def fleet(database: Database, bus: MemoryBus) -> Fleet:
    room = Fleet(database=database, bus=bus, clock=SystemClock(), rules=Rules({}))
    for name in ("one", "two"):
        await nodes.admit(room, facts(name), "secret")
    return room


class Listener:
    """A node that remembers how far it was told."""

    def __init__(self, fleet: Fleet, name: str) -> None:
        self.fleet, self.name = fleet, name
        self.number = self.noticed = 0

    async def ask(self, wait: float = 0) -> dict[str, tuple[bool, dict[str, str], list[str]]]:
        """What it is told anew: by network, (all of it, hosts of ports, what is not so any more)."""
        answer: Assignments = await fetching.fetch(self.fleet, self.name, self.number, self.noticed, wait)
        self.number, self.noticed = answer.number, answer.noticed
        return {
            said.about: (
                said.whole,
                {key: msgspec.json.decode(text, type=PortSpec).host for key, text in said.said.items()},
                said.unsaid,
            )
            for said in answer.notices
        }


async def test_all_who_hold_a_network_are_told_of_it_and_nobody_else(fleet: Fleet) -> None:
    door, one, two = FleetDoor(fleet), Listener(fleet, "one"), Listener(fleet, "two")
    await door.announce("a", {(Kind.NETWORK, "red"): place("a", "two")})
    assert await one.ask() == {}
    await door.assign("one", Kind.NETWORK, "red", RED, 1)
    await door.assign("two", Kind.NETWORK, "blue", BLUE, 1)
    assert await one.ask() == {"red": (True, {"a": "two"}, [])}
    assert await one.ask() == {}
    assert await two.ask() == {"blue": (True, {}, [])}

    await door.announce("a", {(Kind.NETWORK, "red"): place("a", "three")})
    await door.announce("b", {(Kind.NETWORK, "red"): place("b", "two")})
    assert await one.ask() == {"red": (False, {"a": "three", "b": "two"}, [])}
    await door.announce("b", {})
    assert await one.ask() == {"red": (False, {}, ["b"])}
    await door.announce("a", {(Kind.NETWORK, "blue"): place("a", "three")})
    assert await one.ask() == {"red": (False, {}, ["a"])}
    assert await two.ask() == {"blue": (False, {"a": "three"}, [])}

    await door.withdraw("two", Kind.NETWORK, "blue")
    await door.announce("a", {})
    assert await two.ask() == {}


async def test_saying_it_again_costs_nothing(fleet: Fleet) -> None:
    door = FleetDoor(fleet)
    for _ in range(2):
        await door.announce("a", {(Kind.NETWORK, "red"): place("a", "two")})
    async with fleet.database.read() as tx:
        assert await notices.told(tx) == 1


async def test_who_missed_too_much_is_told_everything_anew(fleet: Fleet) -> None:
    door = FleetDoor(fleet)
    await door.assign("one", Kind.NETWORK, "red", RED, 1)
    await door.announce("a", {(Kind.NETWORK, "red"): place("a", "two")})
    await door.announce("b", {(Kind.NETWORK, "red"): place("b", "two")})
    await door.announce("a", {})
    async with fleet.database.read() as tx:
        (said,) = await notices.news(tx, "one", 2, 3 + notices.KEPT, ())
        assert (said.whole, list(said.said)) == (True, ["b"])
        (said,) = await notices.news(tx, "one", 2, 3, ())
        assert (said.whole, said.said, said.unsaid) == (False, {}, ["a"])


async def test_nothing_is_left_of_a_network_that_is_gone(fleet: Fleet) -> None:
    door = FleetDoor(fleet)

    async def lines() -> int:
        async with fleet.database.read() as tx:
            return await tx.count(notices.NoticeRow)

    await door.assign("one", Kind.NETWORK, "red", RED, 1)
    await door.announce("a", {(Kind.NETWORK, "red"): place("a", "two")})
    await door.announce("a", {})
    assert await lines() == 1  # "one" is still to hear that it is not so
    await door.withdraw("one", Kind.NETWORK, "red")
    await door.hush(Kind.NETWORK, "red")
    assert await lines() == 0
    # Whoever looked before the end, and says what he saw after it, takes it back when he looks again.
    await door.announce("a", {(Kind.NETWORK, "red"): place("a", "two")})
    await door.announce("a", {})
    assert await lines() == 0


async def test_a_waiting_node_hears_at_once_and_then_of_all_that_came_meanwhile(fleet: Fleet) -> None:
    door, one = FleetDoor(fleet), Listener(fleet, "one")
    await door.assign("one", Kind.NETWORK, "red", RED, 1)
    await one.ask()
    fleet.told_at.clear()
    waiting = asyncio.create_task(one.ask(30))
    await asyncio.sleep(0)
    await door.announce("a", {(Kind.NETWORK, "red"): place("a", "two")})
    async with asyncio.timeout(HANG_SECONDS):
        assert await waiting == {"red": (False, {"a": "two"}, [])}
    waiting = asyncio.create_task(one.ask(30))
    await door.announce("b", {(Kind.NETWORK, "red"): place("b", "two")})
    await door.announce("c", {(Kind.NETWORK, "red"): place("c", "two")})
    async with asyncio.timeout(HANG_SECONDS):
        assert await waiting == {"red": (False, {"b": "two", "c": "two"}, [])}


async def test_an_order_does_not_wait_for_more_notices(fleet: Fleet) -> None:
    door, one = FleetDoor(fleet), Listener(fleet, "one")
    await door.assign("one", Kind.NETWORK, "red", RED, 1)
    await one.ask()
    fleet.told_at["one"] = asyncio.get_running_loop().time() + 3600  # as if it would be told the next ones much later
    await door.announce("a", {(Kind.NETWORK, "red"): place("a", "two")})
    waiting = asyncio.create_task(one.ask(30))
    await asyncio.sleep(0)
    await door.assign("one", Kind.NETWORK, "blue", BLUE, 1)
    async with asyncio.timeout(HANG_SECONDS):
        assert set(await waiting) == {"red", "blue"}
