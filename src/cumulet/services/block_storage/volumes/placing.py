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


def choose(nodes: Sequence[NodeView], given_out: Mapping[str, int], *, size: int, zone: str, near: str = "") -> Choice:
    """The node for a volume of so many GiB; `near` must be it where a source lives there already."""
    refusals: dict[str, str] = {}
    fitting: list[tuple[int, str]] = []
    for node in nodes:
        free = node.facts.disk_gib - given_out.get(node.name, 0)
        if not node.alive:
            refusals[node.name] = "it is not heard from"
        elif near and node.name != near:
            refusals[node.name] = f"CapabilitiesFilter: the source lives on {near}"
        elif zone and node.zone != zone:
            refusals[node.name] = f"AvailabilityZoneFilter: it is in zone {node.zone}"
        elif free < size:
            refusals[node.name] = f"CapacityFilter: {free} GiB are free of {node.facts.disk_gib}"
        else:
            fitting.append((-free, node.name))
    return Choice(min(fitting)[1] if fitting else "", refusals)
