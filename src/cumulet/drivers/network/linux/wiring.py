"""Makes the interfaces of the node's namespace, and what is attached to them: forwarding entries, queues, the
tags of sub-ports.

Looks, compares, acts. What was made is remembered, so that an unchanged plan runs nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence, Set

from cumulet.contracts.assignments import Fault, Kind
from cumulet.drivers.network.linux.commands import Commands
from cumulet.drivers.network.linux.faults import of_failure, of_untagged
from cumulet.drivers.network.linux.guarantees import Shares, parse_shared, share_lines
from cumulet.drivers.network.linux.links import FoundLink, Lines, Link, deletions, lines_for, surplus, without
from cumulet.drivers.network.linux.names import Element, owner, tap
from cumulet.drivers.network.linux.node import Node
from cumulet.drivers.network.linux.programs import placer
from cumulet.drivers.network.linux.queues import Bucket, parse_queues, queue_lines
from cumulet.drivers.network.linux.tagging import Tagged, hook_lines, hooked_devices, hooks, parse_hooks
from cumulet.drivers.network.linux.vxlan import Entry, changes
from cumulet.lib.netns import inside
from cumulet.lib.process import ProcessFailed


class Wiring:
    """The node's own namespace."""

    def __init__(self, commands: Commands, node: Node) -> None:
        self._commands = commands
        self._node = node
        self.forget()

    def forget(self) -> None:
        """Look again at everything, the next time."""
        self._links: Sequence[Link] | None = None
        self._entries: frozenset[Entry] | None = None
        self._queues: Mapping[str, Bucket] | None = None
        self._shares: Mapping[str, Shares] | None = None
        self._tagged: frozenset[Tagged] | None = None

    async def ensure_links(self, wanted: Sequence[Link], settled: Collection[Element]) -> dict[Element, Fault]:
        """Make these interfaces; remove others of these elements."""
        if wanted == self._links:
            return {}
        self._links = None
        found = await self._commands.links(self._node.namespace)
        faults: dict[Element, Fault] = {}
        gone = surplus(wanted, found, settled)
        clearing, found = deletions(gone, found), without(found, gone)
        lines = Lines()
        for link in wanted:
            try:
                lines += lines_for(link, found)
            except ValueError as error:
                faults[link.element] = of_failure(link.element, error)
        lines = Lines(tuple(clearing)) + lines
        # Entries and queues went with the interfaces that stood here before.
        self._forget_what_hung_on({link.name for link in wanted if link.name not in found})
        try:
            await self._run(lines)
        except ProcessFailed:
            faults |= await self._one_by_one(wanted, faults)
        if not faults:
            self._links = wanted
        return faults

    async def _one_by_one(self, wanted: Sequence[Link], failed: Mapping[Element, Fault]) -> dict[Element, Fault]:
        """A batch ends at its first error, so find out whose it was."""
        faults: dict[Element, Fault] = {}
        found = await self._commands.links(self._node.namespace)
        for link in wanted:
            if link.element not in failed and link.element not in faults:
                try:
                    await self._run(lines_for(link, found))
                except (ProcessFailed, ValueError) as error:
                    faults[link.element] = of_failure(link.element, error)
        return faults

    async def _run(self, lines: Lines) -> None:
        await self._commands.ip(self._node.namespace, lines.clearing if lines.host else lines.clearing + lines.node)
        await self._commands.ip(None, lines.host)
        await self._commands.ip(self._node.namespace, lines.node if lines.host else ())

    async def ensure_entries(self, wanted: frozenset[Entry]) -> dict[Element, Fault]:
        if wanted == self._entries:
            return {}
        have = self._entries
        if have is None:
            have = frozenset(await self._commands.entries(self._node.namespace))
        self._entries = None
        try:
            await self._change_entries(have, wanted)
        except ProcessFailed:
            # A frame may have moved an entry to where it came in; so look what there is, and go on from that.
            await self._change_entries(await self._commands.entries(self._node.namespace), wanted)
        self._entries = wanted
        return {}

    async def _change_entries(self, have: Set[Entry], wanted: Set[Entry]) -> None:
        bridge_lines, ip_lines = changes(set(have), set(wanted))
        await self._commands.bridge(self._node.namespace, bridge_lines)
        await self._commands.ip(self._node.namespace, ip_lines)

    async def ensure_queues(self, wanted: Mapping[str, Bucket]) -> dict[Element, Fault]:
        if wanted == self._queues:
            return {}
        have = self._queues
        if have is None:
            have = parse_queues(await self._commands.queues(self._node.namespace))
        self._queues = None
        await self._commands.tc(self._node.namespace, queue_lines(have, wanted))
        self._queues = dict(wanted)
        return {}

    async def ensure_shares(self, wanted: Mapping[str, Shares]) -> dict[Element, Fault]:
        """Promise these on the wires. What was promised by a node that ran here before is made anew."""
        if wanted == self._shares:
            return {}
        have, ends = self._shares, {end for _, end in self._node.wires}
        self._shares = None
        lines: list[str] = []
        if have is None and ends:
            shared = parse_shared(await self._commands.queues(self._node.namespace))
            lines = [f"qdisc del dev {end} root" for end in sorted(shared & ends)]
        await self._commands.tc(self._node.namespace, [*lines, *share_lines(have or {}, wanted)])
        self._shares = dict(wanted)
        return {}

    async def ensure_tagged(self, wanted: frozenset[Tagged]) -> dict[Element, Fault]:
        """Let the frames of these sub-ports pass, with their tags."""
        if wanted == self._tagged:
            return {}
        self._tagged = None
        namespace = self._node.namespace
        hooked = hooked_devices(await self._commands.queues(namespace))
        found: dict[tuple[str, int], str] = {}
        for device in sorted(hooked):
            found |= parse_hooks(device, await self._commands.hooks(namespace, device))
        index = {name: link.index for name, link in (await self._commands.links(namespace)).items()} if wanted else {}
        lines, missing = hook_lines(hooked, found, hooks(wanted, index))
        await self._commands.tc(namespace, lines)
        if missing:
            try:
                await inside(namespace, placer(missing, index))
            except PermissionError as error:
                return {(Kind.PORT, sub.port_id): of_untagged(error) for sub in wanted}
            except OSError as error:
                return {(port := (Kind.PORT, sub.port_id)): of_failure(port, error) for sub in wanted}
        self._tagged = wanted
        return {}

    async def remove(self, element: Element) -> None:
        """Delete every interface of this element."""
        found = await self._commands.links(self._node.namespace)
        names = [name for name, link in found.items() if owner(link.alias) == element]
        await self._commands.ip(self._node.namespace, deletions(names, found))
        if names:
            self._links = None
            self._forget_what_hung_on(names)

    async def found(self) -> dict[str, FoundLink]:
        return await self._commands.links(self._node.namespace)

    def _forget_what_hung_on(self, gone: Collection[str]) -> None:
        if self._entries is not None:
            self._entries = frozenset(entry for entry in self._entries if entry.device not in gone)
        if self._queues is not None:
            self._queues = {name: bucket for name, bucket in self._queues.items() if name not in gone}
        if self._shares is not None and set(self._shares) & set(gone):
            self._shares = None
        if self._tagged is not None and any(tap(t.port_id) in gone or t.trunk in gone for t in self._tagged):
            self._tagged = None
