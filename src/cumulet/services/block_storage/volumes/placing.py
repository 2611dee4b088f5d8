"""Choosing the node that holds a volume: known filters by name, then the emptiest. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cumulet.services.fleet.public import NodeView


@dataclass(frozen=True)
class Choice:
    """A node, or the reasons why none will do."""

    node: str
    refusals: Mapping[str, str]

    def sentence(self) -> str:
        if not self.refusals:
            return "No node has joined this cloud. Start one with 'cumulet up' or 'cumulet node'."
        reasons = "; ".join(f"{node}: {why}" for node, why in self.refusals.items())
        return f"No node can hold this volume. {reasons}"


def choose(
    nodes: Sequence[NodeView],
    given_out: Mapping[str, int],
    *,
    size: int,
    zone: str,
    near: str = "",
    lacks: str = "",
) -> Choice:
    """The node for a volume of so many GiB. `near` must be it where a source lives there already; `lacks` is what the
    volume's type asks for and no backend of this cloud has."""
    refusals: dict[str, str] = {}
    fitting: list[tuple[int, str]] = []
    for node in nodes:
        free = node.facts.disk_gib - given_out.get(node.name, 0)
        if not node.alive:
            refusals[node.name] = "it is not heard from"
        elif node.disabled:
            refusals[node.name] = "it is disabled"
        elif lacks:
            refusals[node.name] = f"CapabilitiesFilter: {lacks}"
        elif near and node.name != near:
            refusals[node.name] = f"CapabilitiesFilter: the source lives on {near}"
        elif zone and node.zone != zone:
            refusals[node.name] = f"AvailabilityZoneFilter: it is in zone {node.zone}"
        elif free < size:
            refusals[node.name] = f"CapacityFilter: {free} GiB are free of {node.facts.disk_gib}"
        else:
            fitting.append((-free, node.name))
    return Choice(min(fitting)[1] if fitting else "", refusals)


def missing(specs: Mapping[str, str], offers: Mapping[str, str]) -> str:
    """What a type's extra specs ask for that the backend does not offer, as a sentence; empty: nothing."""
    for key, asked in specs.items():
        scope, separator, name = key.partition(":")
        if separator and scope != "capabilities":
            continue  # words for others than the placing of volumes
        name = name if separator else key
        found = offers.get(name, "")
        operator, _, value = asked.partition(" ")
        wanted = value.strip() if operator in ("<is>", "<in>", "s==", "=") else asked
        same = found.lower() == wanted.lower() if operator == "<is>" else found == wanted
        if not same:
            return f"the type asks for {name} = {wanted!r}; the backend has {found!r}"
    return ""
