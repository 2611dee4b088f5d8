"""Hosts as they were surveyed a moment ago, and how they rank: placing asks about all of them, many times a second."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from itertools import islice

from cumulet.lib.clock import SECOND, Clock
from cumulet.services.compute.placing.choose import choose
from cumulet.services.compute.placing.hosts import Host, Request

KEPT_FOR = SECOND // 4
SHARE = 10
"""A survey is kept so many times as long as it took: at most such a part of the time goes by with surveying. Of so many
hosts one may have been claimed until all are ranked again."""
TRIED = 5
"""Hosts at which a claim is tried by what is remembered, before all are surveyed again."""


class Recent:
    """The last survey, less what was claimed here since, for a moment.

    What has become untrue meanwhile costs a second look: a place is claimed only where there is room at that instant,
    and nobody is refused because of what was remembered.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._hosts: dict[str, Host] = {}
        self._rankings: dict[str, _Ranking] = {}
        self._claims = 0
        self._claimed: dict[str, int] = {}
        """Which claim since the survey was a host's last."""
        self._until = 0
        self._changed = False
        self._turn = asyncio.Lock()
        self._begun = self._kept = 0
        """The numbers of the last surveys that began and that came to an end."""

    async def survey(self, look: Callable[[], Awaitable[Sequence[Host]]], *, shared: bool = True) -> Sequence[Host]:
        """All hosts, by a look that begins from now on. Who ask together share one, unless it was for one alone."""
        seen = self._begun
        async with self._turn:
            if not shared or self._kept <= seen:
                self._begun = number = self._begun + 1
                began, self._changed = self._clock.now(), False
                self.keep(await look(), took=self._clock.now() - began)
                self._kept = number
                if self._changed:
                    self.forget()
            return list(self._hosts.values())

    def hosts(self) -> Collection[Host]:
        """Empty when there was no survey lately."""
        return self._hosts.values() if self._clock.now() < self._until else ()

    def best(self, request: Request) -> Sequence[Host]:
        """The few hosts to try first; empty when there was no survey lately."""
        hosts = self.hosts()
        if not hosts:
            return ()
        if request.volumes or request.short:
            # One host is better than all others, however often it is taken; or who can take it is not remembered.
            return choose(hosts, request).hosts[:TRIED]
        shape = repr(request)  # equal requests have one ranking, whatever they consist of
        ranking = self._rankings.get(shape)
        if ranking is None or self._claims - ranking.begun > len(hosts) // SHARE:
            able = choose(hosts, request).hosts
            ranking = self._rankings[shape] = _Ranking([host.name for host in able], self._claims)
        return [self._hosts[name] for name in ranking.next(self._claimed)]

    def keep(self, hosts: Sequence[Host], took: int = 0) -> None:
        """Remember a survey, which took so long."""
        self._hosts = {host.name: host for host in hosts}
        self._rankings.clear()
        self._claimed.clear()
        self._claims = 0
        self._until = self._clock.now() + max(KEPT_FOR, SHARE * took)

    def forget(self) -> None:
        """Somebody has changed what hosts are."""
        self._until = 0
        self._changed = True

    def note_claim(self, name: str, resources: Mapping[str, int]) -> None:
        """One more server is on its way there."""
        host = self._hosts.get(name)
        if host is not None:
            free = {what: amount - resources.get(what, 0) for what, amount in host.free.items()}
            self._hosts[name] = replace(host, free=free, count=host.count + 1, building=host.building + 1)
            self._claims += 1
            self._claimed[name] = self._claims


class _Ranking:
    """The hosts that can take a server of one shape, best first as they were when `begun` claims had been made.

    Whoever was claimed since, or shown as the first, is the last now: of many hosts no two that come together get the
    same, and few hosts are ranked anew for each.
    """

    def __init__(self, names: Sequence[str], begun: int) -> None:
        self.begun = begun
        self._names = deque(names)

    def next(self, claimed: Mapping[str, int]) -> list[str]:
        for _ in range(len(self._names)):
            if claimed.get(self._names[0], 0) <= self.begun:
                break
            self._names.rotate(-1)
        found = list(islice(self._names, TRIED))
        self._names.rotate(-1)
        return found
