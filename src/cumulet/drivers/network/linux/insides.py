"""Makes the namespaces of networks and routers, and what is inside them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from cumulet.contracts.assignments import Fault, Kind
from cumulet.contracts.networks import GatewaySpec, Metered, MeterSpec, RouterSpec
from cumulet.drivers.network.linux import names
from cumulet.drivers.network.linux.announce import announcement, sender
from cumulet.drivers.network.linux.commands import Commands, add_namespaces, delete_namespace, namespaces
from cumulet.drivers.network.linux.faults import FAILURES, of_failure
from cumulet.drivers.network.linux.interior import FoundInterior, Interior, lines_inside, new_addresses, way_rules
from cumulet.drivers.network.linux.meters import TABLE, meters, parse_counters
from cumulet.drivers.network.linux.names import Element
from cumulet.drivers.network.linux.node import Node
from cumulet.drivers.network.linux.routers import retired_addresses
from cumulet.lib.netns import inside

_REPEAT_SECONDS = 1.0


class Insides:
    """All namespaces of a node but its own."""

    def __init__(self, commands: Commands, node: Node) -> None:
        self._commands = commands
        self._node = node
        self._announcing: set[asyncio.Task[None]] = set()
        self.forget()

    def forget(self) -> None:
        """Look again at everything, the next time."""
        self._set: dict[str, tuple[tuple[str, str], ...]] = {}
        self._interiors: dict[tuple[str, Element], Interior] = {}
        self._translations: dict[str, str] = {}
        self._meters: dict[str, tuple[tuple[GatewaySpec, ...], tuple[MeterSpec, ...]]] = {}

    async def ensure_namespaces(self, interiors: Iterable[Interior]) -> dict[Element, Fault]:
        """Make the namespaces, before interfaces are put into them: what is set by default counts from then on."""
        new = [i for i in interiors if i.settings and self._set.get(i.namespace) != i.settings]
        if not new:
            return {}
        await add_namespaces(self._commands, [interior.namespace for interior in new])
        faults: dict[Element, Fault] = {}
        for interior in new:
            try:
                await self._commands.set_kernel(interior.namespace, interior.settings)
            except FAILURES as error:
                faults[interior.element] = of_failure(interior.element, error)
            else:
                self._set[interior.namespace] = interior.settings
        return faults

    async def ensure_interiors(self, interiors: Iterable[Interior]) -> dict[Element, Fault]:
        """Give them their addresses and routes, and tell the neighbours."""
        faults: dict[Element, Fault] = {}
        for interior in interiors:
            key = interior.namespace, interior.element
            if self._interiors.get(key) != interior:
                self._interiors.pop(key, None)
                try:
                    found = await self._commands.interior(interior.namespace)
                    await self._commands.ip(interior.namespace, lines_inside(interior, found))
                    for family in ("-4", "-6") if interior.ways else ():
                        rules = way_rules(interior, await self._commands.rules(interior.namespace, family))
                        await self._commands.ip(interior.namespace, rules, family)
                except FAILURES as error:
                    faults[interior.element] = of_failure(interior.element, error)
                else:
                    self._interiors[key] = interior
                    self._announce(interior, found)
        return faults

    async def ensure_translations(
        self, scripts: Mapping[str, str], old: Mapping[str, RouterSpec], new: Mapping[str, RouterSpec]
    ) -> dict[Element, Fault]:
        """Put the routers' rules in force, and end the flows that lost their translation."""
        faults: dict[Element, Fault] = {}
        for router_id, script in scripts.items():
            if self._translations.get(router_id) != script:
                self._translations.pop(router_id, None)
                namespace = names.router_namespace(self._node.namespace, router_id)
                try:
                    await self._commands.nft(namespace, script)
                    for conditions in retired_addresses(old.get(router_id), new[router_id]):
                        await self._commands.other(["conntrack", "-D", *conditions], namespace, check=False)
                except FAILURES as error:
                    faults[Kind.ROUTER, router_id] = of_failure((Kind.ROUTER, router_id), error)
                else:
                    self._translations[router_id] = script
        return faults

    async def ensure_meters(self, routers: Iterable[RouterSpec]) -> dict[Element, Fault]:
        """Let these routers count; those without meters lost them with their translation."""
        faults: dict[Element, Fault] = {}
        for router in routers:
            wanted = router.gateways, router.meters
            known = self._meters.get(router.id)
            if router.meters and known != wanted:
                self._meters.pop(router.id, None)
                namespace = names.router_namespace(self._node.namespace, router.id)
                try:
                    there = [counter.id for counter in await self.metered(router.id)]
                    await self._commands.nft(namespace, meters(router, there))
                except FAILURES as error:
                    faults[Kind.ROUTER, router.id] = of_failure((Kind.ROUTER, router.id), error)
                else:
                    self._meters[router.id] = wanted
            elif not router.meters:
                self._meters.pop(router.id, None)
        return faults

    async def metered(self, router_id: str) -> list[Metered]:
        """What a router has counted."""
        argv = ["nft", "-j", "list", "counters", "table", *TABLE.split()]
        namespace = names.router_namespace(self._node.namespace, router_id)
        return parse_counters(await self._commands.other(argv, namespace, check=False))

    def found(self) -> dict[str, Element]:
        """Namespace → whose it is, of all that belong to this node."""
        owners = ((name, names.namespace_owner(self._node.namespace, name)) for name in namespaces())
        return {name: element for name, element in owners if element is not None}

    async def remove(self, namespace: str) -> None:
        """Delete it with all that is inside."""
        await delete_namespace(self._commands, namespace)
        self._set.pop(namespace, None)
        self._interiors = {key: value for key, value in self._interiors.items() if key[0] != namespace}
        element = names.namespace_owner(self._node.namespace, namespace)
        if element is not None:
            self._translations.pop(element[1], None)
            self._meters.pop(element[1], None)

    async def close(self) -> None:
        """End what is still being announced."""
        for task in self._announcing:
            task.cancel()
        await asyncio.gather(*self._announcing, return_exceptions=True)

    def _announce(self, interior: Interior, found: FoundInterior) -> None:
        macs = {leg.name: leg.mac for leg in interior.legs}
        frames = [(leg, announcement(address, macs[leg])) for leg, address in new_addresses(interior, found)]
        if frames:
            task = asyncio.get_running_loop().create_task(_tell(interior.namespace, frames))
            self._announcing.add(task)
            task.add_done_callback(self._announcing.discard)


async def _tell(namespace: str, frames: Sequence[tuple[str, bytes]]) -> None:
    """Twice: nobody confirms it, and a neighbour that missed it would wait for its own clock."""
    try:
        await inside(namespace, sender(frames))
        await asyncio.sleep(_REPEAT_SECONDS)
        await inside(namespace, sender(frames))
    except (OSError, TimeoutError):
        return  # The namespace or the leg is gone again, and so is the news.
