"""What placing remembers of the hosts, and when it stops believing it."""

from __future__ import annotations

import asyncio
from collections import Counter

from cumulet.services.compute.placing.hosts import Host, Request
from cumulet.services.compute.placing.recent import Recent
from tests.support.clock import JumpingClock

ONE, TWO = Host("one", "nova", free={"VCPU": 4, "MEMORY_MB": 512}), Host("two", "nova", free={"VCPU": 2})


def test_claims_are_taken_off_what_was_surveyed() -> None:
    recent = Recent(JumpingClock())
    recent.keep([ONE, TWO])
    recent.note_claim("one", {"VCPU": 1, "MEMORY_MB": 128})
    recent.note_claim("three", {"VCPU": 1})
    one, two = recent.hosts()
    assert (one.free, one.count, one.building) == ({"VCPU": 3, "MEMORY_MB": 384}, 1, 1)
    assert two == TWO


def test_it_is_believed_for_a_moment_unless_somebody_changes_a_host() -> None:
    clock = JumpingClock()
    recent = Recent(clock)
    assert not recent.hosts()
    recent.keep([ONE])
    clock.jump(0.2)
    assert recent.hosts()
    clock.jump(0.1)
    assert not recent.hosts()
    recent.keep([ONE])
    recent.forget()
    assert not recent.hosts()


def many(count: int) -> list[Host]:
    return [Host(f"h{number:03}", "nova", free={"VCPU": 100, "MEMORY_MB": 1000}) for number in range(count)]


def place(recent: Recent, request: Request) -> str:
    host = recent.best(request)[0].name
    recent.note_claim(host, request.resources)
    return host


def test_of_many_equal_hosts_each_is_taken_once_before_any_is_taken_twice() -> None:
    recent = Recent(JumpingClock())
    recent.keep(many(100))
    requests = [Request({"VCPU": 1, "MEMORY_MB": 10}, project_id=f"p{number % 3}") for number in range(200)]
    taken = Counter(place(recent, request) for request in requests[:100])
    assert set(taken.values()) == {1}
    taken.update(place(recent, request) for request in requests[100:])
    assert set(taken.values()) == {2}


def test_few_hosts_are_ranked_anew_for_each_server() -> None:
    recent = Recent(JumpingClock())
    big, small = {"VCPU": 20, "MEMORY_MB": 1000}, {"VCPU": 10, "MEMORY_MB": 500}
    recent.keep([Host("big", "nova", free=big), Host("small", "nova", free=small)])
    request = Request({"VCPU": 1, "MEMORY_MB": 50})
    assert [place(recent, request) for _ in range(4)] == ["big"] * 4


def test_the_host_of_its_volumes_stays_the_first_of_many() -> None:
    recent = Recent(JumpingClock())
    recent.keep(many(50))
    assert {place(recent, Request({"VCPU": 1}, volumes={"h008": 1})) for _ in range(5)} == {"h008"}


def test_who_cannot_take_it_is_not_tried() -> None:
    recent = Recent(JumpingClock())
    recent.keep([*many(30), Host("asleep", "nova", alive=False, free={"VCPU": 1000})])
    for _ in range(60):
        assert "asleep" not in [host.name for host in recent.best(Request({"VCPU": 1}))]
    assert recent.best(Request({"VCPU": 101})) == []


async def test_those_who_ask_together_share_a_survey_that_began_after_they_asked() -> None:
    recent = Recent(JumpingClock())
    begun = 0
    gate = asyncio.Event()

    async def look() -> list[Host]:
        nonlocal begun
        begun += 1
        await gate.wait()
        return [Host(f"as of {begun}", "nova")]

    first = asyncio.create_task(recent.survey(look))
    await asyncio.sleep(0)
    others = [asyncio.create_task(recent.survey(look)) for _ in range(5)]
    alone = asyncio.create_task(recent.survey(look, shared=False))
    await asyncio.sleep(0)
    gate.set()
    assert [host.name for host in await first] == ["as of 1"]
    assert [[host.name for host in await other] for other in others] == [["as of 2"]] * 5
    assert [host.name for host in await alone] == ["as of 3"]


async def test_a_change_during_a_survey_makes_it_old_at_once() -> None:
    recent = Recent(JumpingClock())

    async def look() -> list[Host]:
        recent.forget()
        return [ONE]

    assert await recent.survey(look) == [ONE]
    assert not recent.hosts()
