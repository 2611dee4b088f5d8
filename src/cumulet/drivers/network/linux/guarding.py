"""Puts the filter in force, and ends the flows that it no longer allows."""

from __future__ import annotations

from collections.abc import Mapping, Set

from cumulet.contracts.networks import Fabric
from cumulet.drivers.network.linux.commands import Commands
from cumulet.drivers.network.linux.filter import youth_begins, youth_ends
from cumulet.drivers.network.linux.flows import Court, departed, parse_flows
from cumulet.drivers.network.linux.node import Node
from cumulet.drivers.network.linux.ruleset import Ruleset, only_grows, transaction
from cumulet.drivers.network.rules import is_guests


class Guarding:
    """The rules of the node's own namespace."""

    def __init__(self, commands: Commands, node: Node) -> None:
        self._commands = commands
        self._node = node
        self.forget()

    def forget(self) -> None:
        """Write everything anew, the next time: at one instant, so that nothing is unfiltered in between."""
        self._rules: Ruleset | None = None

    async def ensure(self, wanted: Ruleset, before: Fabric, fabric: Fabric, zones: Mapping[str, int]) -> None:
        """One transaction, and a look at the flows if a right was lost."""
        if wanted == self._rules:
            return
        old, self._rules = self._rules, None
        script = wanted.text() if old is None else transaction(old, wanted)
        arrived = self._local(fabric) - self._local(before)
        left = self._local(before) - self._local(fabric)
        await self._commands.nft(self._node.namespace, script + youth_begins(sorted(arrived)))
        if old is None or not only_grows(old, wanted):
            await self._end_flows(Court(fabric, self._node.name, zones, departed(before, fabric)), left)
        self._rules = wanted

    async def _end_flows(self, court: Court, left: Set[str]) -> None:
        flows = parse_flows(await self._commands.flows(self._node.namespace))
        ended = [(flow, parties) for flow in flows if (parties := court.parties(flow)) is not None]
        losers = set(left).union(*(parties for _, parties in ended))
        await self._commands.nft(self._node.namespace, youth_ends(sorted(losers)))
        await self._commands.end_flows(self._node.namespace, [f"-D {flow.key}" for flow, _ in ended])

    def _local(self, fabric: Fabric) -> set[str]:
        return {port.id for port in fabric.ports if port.host == self._node.name and is_guests(port)}
