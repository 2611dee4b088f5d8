"""What placing remembers of the hosts, and when it stops believing it."""

from __future__ import annotations

from cumulet.services.compute.placing.hosts import Host
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
