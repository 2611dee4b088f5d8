"""Networks of a node on a Linux kernel.

What is ordered is written down (`held`), the whole of what it means is computed (`plan`), and each part that differs
from what is in force is made so: rules first, then interfaces, so that no frame of a guest ever passes unfiltered.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path

from cumulet.contracts.assignments import Fault, Kind
from cumulet.contracts.networks import ElementFacts, Fabric, GroupSpec, Metered, NetworkSpec, PortSpec, RouterSpec
from cumulet.contracts.record import Record, digest_of
from cumulet.drivers.network.base import MetadataPlace
from cumulet.drivers.network.linux import names
from cumulet.drivers.network.linux.checks import checked
from cumulet.drivers.network.linux.commands import Commands, Run
from cumulet.drivers.network.linux.dnsmasq import Dnsmasq
from cumulet.drivers.network.linux.faults import FAILURES, guarded, of_failure
from cumulet.drivers.network.linux.guarantees import promised
from cumulet.drivers.network.linux.guarding import Guarding
from cumulet.drivers.network.linux.held import FIELDS, Held, elements_of, read_held, write_held
from cumulet.drivers.network.linux.insides import Insides
from cumulet.drivers.network.linux.keepalived import Keepalived, looker
from cumulet.drivers.network.linux.names import Element
from cumulet.drivers.network.linux.node import Node
from cumulet.drivers.network.linux.plan import Plan, plan
from cumulet.drivers.network.linux.probe import refuse_if_unfit
from cumulet.drivers.network.linux.residents import Residents
from cumulet.drivers.network.linux.sandbox import ensure_namespace
from cumulet.drivers.network.linux.uplink import ensure_uplink
from cumulet.drivers.network.linux.wiring import Wiring
from cumulet.drivers.network.linux.witness import Witness
from cumulet.drivers.network.rules import is_guests
from cumulet.lib import process
from cumulet.lib.netns import inside

log = logging.getLogger(__name__)

_LOOK_SECONDS = 1.0


class LinuxNetwork:
    """Bridges, taps, VXLAN, DHCP, routers and security groups in network namespaces of this machine."""

    name = "linux"

    def __init__(
        self,
        node: Node,
        folder: Path,
        *,
        run: Run = process.run,
        monotonic: Callable[[], float] = time.monotonic,
        look_again_seconds: float = 600.0,
    ) -> None:
        """`folder` is this driver's own. Every `look_again_seconds` nothing that is remembered is believed."""
        self._node = node
        self._folder = folder
        self._commands = Commands(run)
        self._monotonic = monotonic
        self._look_again_seconds = look_again_seconds
        self._looked_at: float | None = None
        self._lock = asyncio.Lock()
        self._guarding = Guarding(self._commands, node)
        self._wiring = Wiring(self._commands, node)
        self._insides = Insides(self._commands, node)
        self._witness = Witness(node.namespace, folder / "security-groups.log")
        self._servers = Residents(folder / "dnsmasq", Dnsmasq)
        self._standbys = Residents(folder / "keepalived", Keepalived)
        self._active: dict[str, bool] = {}
        """Whether each router that other nodes hold too runs here."""
        self._held = Held()
        self._known = Fabric()
        """What of it made sense when it was last looked at."""
        self._settled: Held | None = None
        self._faults: dict[Element, Fault] = {}
        self._digests: dict[Element, tuple[Record, str]] = {}
        self._places: tuple[MetadataPlace, ...] = ()
        self._uplinked: list[NetworkSpec] | None = None

    async def apply(self, fabric: Fabric) -> Mapping[Kind, Sequence[ElementFacts]]:
        async with self._lock:
            await self._begin()
            await self._hold(self._held.joined(fabric))
            await self._look_who_runs()
            return self._facts(fabric)

    async def remove(self, kind: Kind, key: str) -> None:
        if kind not in FIELDS:
            return
        async with self._lock:
            await self._begin()
            self._digests.pop((kind, key), None)
            if kind in (Kind.NETWORK, Kind.ROUTER, Kind.PORT):
                await self._destroy((kind, key))
            if self._held.has(kind, key):
                await self._hold(self._held.without(kind, key))

    async def found(self) -> Mapping[Kind, Sequence[str]]:
        async with self._lock:
            await self._begin()
            elements = elements_of(self._held.fabric)
            elements |= set(self._insides.found().values())
            elements |= {e for link in (await self._wiring.found()).values() if (e := names.owner(link.alias))}
        return {kind: sorted(key for of, key in elements if of is kind) for kind in FIELDS}

    def tap(self, port_id: str) -> str:
        return names.tap(port_id)

    def metadata_places(self) -> Sequence[MetadataPlace]:
        """Every place where guests ask; it changes with `apply` and `remove`."""
        return self._places

    async def metered(self, router_id: str) -> Sequence[Metered]:
        """What the counters of a router show now. Raises LookupError for a router that is not here."""
        if not any(router.id == router_id for router in self._known.routers):
            raise LookupError(f"router {router_id} is not here")
        return await self._insides.metered(router_id)

    async def close(self) -> None:
        """Stop watching. Everything that was made goes on without us."""
        await self._insides.close()
        self._servers.abandon()
        self._standbys.abandon()
        self._witness.close()

    async def _begin(self) -> None:
        """Once: see that this kernel can filter, and take up what was held. And from time to time, look again."""
        now = self._monotonic()
        if self._looked_at is None:
            await ensure_namespace(self._commands, self._node.namespace)
            await refuse_if_unfit(self._commands, self._node)
            self._folder.mkdir(parents=True, exist_ok=True)
            self._held = read_held(self._folder / "held.json")
            self._known, _ = checked(self._held.fabric)
        elif now - self._looked_at < self._look_again_seconds:
            return
        self._looked_at = now
        self._settled = None
        self._uplinked = None
        self._guarding.forget()
        self._wiring.forget()
        self._insides.forget()

    async def _hold(self, held: Held) -> None:
        """Make what is held so, unless it is, and no server died."""
        if held == self._settled and not self._servers.dead() and not self._standbys.dead():
            return
        if held != self._held:
            write_held(self._folder / "held.json", held)
        self._held, self._settled = held, None
        self._faults = await self._settle(held)
        if not self._faults:
            self._settled = held

    async def _settle(self, held: Held) -> dict[Element, Fault]:
        fabric, faults = checked(held.fabric)
        before, self._known = self._known, fabric
        wanted = plan(fabric, self._node, held.zones)
        local = {port.id: port for port in fabric.ports if port.host == self._node.name and is_guests(port)}
        everything = elements_of(fabric)

        def note(more: Mapping[Element, Fault]) -> None:
            """The first fault of an element is the cause of its others."""
            for element, fault in more.items():
                faults.setdefault(element, fault)

        try:
            await self._guarding.ensure(wanted.rules, before, fabric, held.zones)
        except FAILURES as error:
            # Without its rules no port is connected; those that are connected keep the rules they had.
            note({(Kind.PORT, key): of_failure((Kind.PORT, key), error) for key in local})
        try:
            await self._witness.ensure(local.values())
        except FAILURES as error:
            log.warning("what security groups do is not written down: %s", error)  # the packets pass all the same
        note(await guarded(everything, self._insides.ensure_namespaces(wanted.interiors)))
        links = tuple(link for link in wanted.links if link.element not in faults)
        note(await guarded(everything, self._wiring.ensure_links(links, everything - faults.keys())))
        scripts = {key: script for key, script in wanted.translations.items() if (Kind.ROUTER, key) not in faults}
        old_routers = {router.id: router for router in before.routers}
        routers = {router.id: router for router in fabric.routers}
        note(await self._insides.ensure_translations(scripts, old_routers, routers))
        note(await self._insides.ensure_meters(r for key, r in routers.items() if (Kind.ROUTER, key) not in faults))
        note(await self._insides.ensure_interiors(i for i in wanted.interiors if i.element not in faults))
        note(await guarded(everything, self._wiring.ensure_entries(wanted.entries)))
        note(await guarded(everything, self._wiring.ensure_queues(wanted.queues)))
        sharers = {(Kind.PORT, id_) for id_ in promised(fabric, self._node)}
        note(await guarded(sharers, self._wiring.ensure_shares(wanted.shares)))
        note(await guarded(everything, self._wiring.ensure_tagged(wanted.tagged)))
        note(await self._serve(wanted, faults.keys()))
        note(await self._retire(wanted, everything))
        note(await self._connect_host(fabric))
        self._places = wanted.places
        return faults

    async def turned(self) -> None:
        """Until a router that other nodes hold too begins to run here, or ceases to."""
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if await self._look_who_runs():
                return

    async def _look_who_runs(self) -> bool:
        """Whether it has changed."""
        found = {}
        for router in self._known.routers:
            if router.standby:
                namespace = names.router_namespace(self._node.namespace, router.id)
                try:
                    found[router.id] = await inside(namespace, looker(router.standby))
                except (OSError, TimeoutError):
                    found[router.id] = False
        # Taken over as a whole: whoever tells the facts meanwhile tells those of before.
        before, self._active = self._active, found
        return found != before

    async def _connect_host(self, fabric: Fabric) -> dict[Element, Fault]:
        external = [network for network in fabric.networks if network.external]
        if self._node.uplink is None or self._uplinked == external:
            return {}
        self._uplinked = None
        try:
            await ensure_uplink(self._commands, self._node, fabric)
        except FAILURES as error:
            return {(Kind.NETWORK, n.id): of_failure((Kind.NETWORK, n.id), error) for n in external}
        self._uplinked = external
        return {}

    async def _serve(self, wanted: Plan, failed: Collection[Element]) -> dict[Element, Fault]:
        faults: dict[Element, Fault] = {}
        for element, (namespace, text) in wanted.servers.items():
            if element not in failed:
                try:
                    await self._servers.of(element[1], namespace).ensure(text)
                except FAILURES as error:
                    faults[element] = of_failure(element, error)
        for key, (namespace, conf) in wanted.standbys.items():
            if (Kind.ROUTER, key) not in failed:
                try:
                    await self._standbys.of(key, namespace).ensure(conf)
                except FAILURES as error:
                    faults[Kind.ROUTER, key] = of_failure((Kind.ROUTER, key), error)
        return faults

    async def _retire(self, wanted: Plan, everything: set[Element]) -> dict[Element, Fault]:
        """A network that gave up DHCP, a router that is switched off: what served them goes, as ordered."""
        faults: dict[Element, Fault] = {}
        started, made, kept = self._servers.found(), self._insides.found(), self._standbys.found()
        needed = {interior.namespace for interior in wanted.interiors}
        for element in everything:
            try:
                if element[1] in started and element not in wanted.servers:
                    await self._servers.stop(element[1], self._node.namespace)
                if element[1] in kept and element[1] not in wanted.standbys:
                    await self._standbys.stop(element[1], self._node.namespace)
                for namespace in [name for name, of in made.items() if of == element and name not in needed]:
                    await self._insides.remove(namespace)
            except FAILURES as error:
                faults[element] = of_failure(element, error)
        return faults

    async def _destroy(self, element: Element) -> None:
        """Whatever stands here of it, known or not."""
        _, key = element
        if key in self._servers.found():
            await self._servers.stop(key, self._node.namespace)
        if key in self._standbys.found():
            await self._standbys.stop(key, self._node.namespace)
        await self._wiring.remove(element)
        for namespace, of in self._insides.found().items():
            if of == element:
                await self._insides.remove(namespace)

    def _facts(self, fabric: Fabric) -> dict[Kind, list[ElementFacts]]:
        return {kind: [self._fact(kind, spec) for spec in getattr(fabric, field)] for kind, field in FIELDS.items()}

    def _fact(self, kind: Kind, spec: NetworkSpec | PortSpec | GroupSpec | RouterSpec) -> ElementFacts:
        element = kind, spec.id
        fault = self._faults.get(element)
        if fault is None and isinstance(spec, PortSpec):
            fault = self._faults.get((Kind.NETWORK, spec.network_id))
        if fault is not None:
            return ElementFacts(id=spec.id, fault=fault)
        known = self._digests.get(element)
        if known is None or known[0] != spec:
            known = self._digests[element] = (spec, digest_of(spec))
        active = self._active.get(spec.id, False) if isinstance(spec, RouterSpec) and spec.standby else True
        return ElementFacts(id=spec.id, digest=known[1], up=getattr(spec, "up", True), active=active)
