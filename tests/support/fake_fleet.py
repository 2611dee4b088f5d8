"""A fleet in memory: takes orders, remembers them, and lets a test speak for the nodes."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

import msgspec

from cumulet.contracts.assignments import Kind, NodeFacts
from cumulet.contracts.networks import ElementFacts
from cumulet.contracts.record import Record, digest_of
from cumulet.services.fleet.assignments import Held
from cumulet.services.fleet.nodes import NodeView


class FakeFleet:
    """The fleet's door without a database. `specs` holds what each node was told, by (node, kind, key)."""

    def __init__(self, wake: Callable[[str, str], None] = lambda topic, key: None, nodes: Sequence[str] = ()) -> None:
        self._wake = wake
        self._nodes: dict[str, NodeView] = {}
        self._held: dict[tuple[str, str, str], Held] = {}
        self.specs: dict[tuple[str, str, str], Record] = {}
        self.said: dict[tuple[Kind, str], dict[str, Record]] = {}
        """What all nodes are told about a network or a group that they hold, by key."""
        self.answers: dict[tuple[str, str], bytes] = {}
        self.orders = 0
        """How many orders changed anything."""
        for name in nodes:
            self.join(name)

    # ---- what a test does ------------------------------------------------------------------------------------------

    def join(self, name: str, *, zone: str = "nova", **facts: object) -> None:
        """A node arrives, alive."""
        given: dict[str, object] = {
            "hypervisor": "fake",
            "accelerator": "fake",
            "hypervisor_version": 1,
            "vcpus": 16,
            "memory_mib": 65536,
            "disk_gib": 1000,
            "tunnel_address": f"10.255.0.{len(self._nodes) + 1}",
            "address": f"unix:/{name}",
            **facts,
        }
        storage = {"driver": "fake", "content": "fake", "total_gib": given["disk_gib"], "free_gib": given["disk_gib"]}
        given.setdefault("backends", [{"name": "local", "storage": storage}])
        node_facts = msgspec.convert({"name": name, **given}, NodeFacts)
        self._nodes[name] = NodeView(name, True, False, zone, node_facts, 1, 1)
        self._wake("node", name)

    def kill(self, name: str) -> None:
        self._nodes[name].alive = False
        self._wake("node", name)

    def revive(self, name: str) -> None:
        self._nodes[name].alive = True
        self._wake("node", name)

    def hear(self, name: str) -> None:
        """A node speaks again."""
        self._nodes[name].last_seen += 1
        self.revive(name)

    def report(self, node: str, kind: Kind, key: str, facts: Record | None = None) -> None:
        """The node has done what it was told: destroyed what it should, made the rest, with these facts."""
        held = self._held[(node, str(kind), key)]
        if held.gone:
            del self._held[(node, str(kind), key)]
        else:
            spec = self.specs[(node, str(kind), key)]
            said = facts or ElementFacts(id=key, digest=digest_of(spec), up=True)
            held.observed = held.generation
            held.sequence += 1
            held.facts = msgspec.json.encode(said)
        self._wake(str(kind), key)

    def report_all(self) -> None:
        """Every node does everything it was told."""
        for (node, kind, key), held in list(self._held.items()):
            if held.gone or held.observed != held.generation:
                self.report(node, Kind(kind), key)

    def report_all_but(self, kind: Kind) -> None:
        """Every node does everything it was told, of other kinds."""
        for (node, other, key), held in list(self._held.items()):
            if other != str(kind) and (held.gone or held.observed != held.generation):
                self.report(node, Kind(other), key)

    def told(self, node: str, kind: Kind) -> dict[str, Record]:
        """What a node should hold of a kind, by key."""
        return {
            key: self.specs[(name, k, key)]
            for (name, k, key), held in self._held.items()
            if name == node and k == str(kind) and not held.gone
        }

    def answer(self, node: str, what: str, value: object) -> None:
        """What a node says from now on when it is asked that."""
        self.answers[node, what] = msgspec.json.encode(value)

    # ---- the door --------------------------------------------------------------------------------------------------

    async def nodes(self) -> list[NodeView]:
        return sorted(self._nodes.values(), key=lambda node: node.name)

    async def node(self, name: str) -> NodeView | None:
        return self._nodes.get(name)

    async def assign(self, node: str, kind: Kind, key: str, spec: Record, generation: int) -> None:
        place = (node, str(kind), key)
        held = self._held.get(place)
        if held and not held.gone and held.generation == generation and self.specs[place] == spec:
            return
        self.orders += 1
        self.specs[place] = spec
        if held:
            held.generation, held.gone = generation, False
        else:
            self._held[place] = Held(node, key, generation, False, 0, 0, b"{}")

    async def assign_all(self, orders: Sequence[tuple[str, Kind, str, Record, int]]) -> None:
        for order in orders:
            await self.assign(*order)

    async def announce(self, key: str, said: Mapping[tuple[Kind, str], Record]) -> None:
        before = {subject: lines[key] for subject, lines in self.said.items() if key in lines}
        self.orders += before != said
        for subject in before:
            del self.said[subject][key]
        for subject, record in said.items():
            self.said.setdefault(subject, {})[key] = record

    async def hush(self, kind: Kind, about: str) -> None:
        self.said.pop((kind, about), None)

    async def known(self, names: Collection[str]) -> set[str]:
        return set(names) & set(self._nodes)

    async def withdraw(self, node: str, kind: Kind, key: str) -> None:
        held = self._held.get((node, str(kind), key))
        if held and not held.gone:
            self.orders += 1
            held.gone = True

    async def forget(self, node: str, kind: Kind, key: str) -> None:
        self._held.pop((node, str(kind), key), None)

    async def held(self, kind: Kind, key: str) -> list[Held]:
        return (await self.held_many(kind, [key]))[key]

    async def held_many(self, kind: Kind, keys: Sequence[str]) -> dict[str, list[Held]]:
        found: dict[str, list[Held]] = {key: [] for key in keys}
        for (_, k, key), held in sorted(self._held.items()):
            if k == str(kind) and key in found:
                found[key].append(held)
        return found

    async def ask(self, node: str, what: str, secrets: Mapping[str, str] | None = None, /, **parameters: str) -> bytes:
        return self.answers[node, what]
