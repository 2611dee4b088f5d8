"""Hosts as they were surveyed a moment ago: placing asks about all of them, many times a second."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from cumulet.lib.clock import SECOND, Clock
from cumulet.services.compute.placing.hosts import Host

KEPT_FOR = SECOND // 4


class Recent:
    """The last survey, less what was claimed here since, for a moment.

    What has become untrue meanwhile costs a second look: a place is claimed only where there is room at that instant,
    and nobody is refused because of what was remembered.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hosts: dict[str, Host] = {}
        self._until = 0

    def hosts(self) -> Collection[Host]:
        """Empty when there was no survey lately."""
        return self._hosts.values() if self._clock.now() < self._until else ()

    def keep(self, hosts: Sequence[Host]) -> None:
        self._hosts = {host.name: host for host in hosts}
        self._until = self._clock.now() + KEPT_FOR

    def forget(self) -> None:
        """Somebody has changed what hosts are."""
        self._until = 0

    def note_claim(self, name: str, resources: Mapping[str, int]) -> None:
        """One more server is on its way there."""
        host = self._hosts.get(name)
        if host is not None:
            free = {what: amount - resources.get(what, 0) for what, amount in host.free.items()}
            self._hosts[name] = replace(host, free=free, count=host.count + 1, building=host.building + 1)
