"""Choosing the node of a router. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cumulet.services.fleet.public import NodeView


def choose_node(nodes: Sequence[NodeView], load: Mapping[str, int], current: str, zones: Sequence[str]) -> str:
    """Where a router is to run: where it does if that lives, else the living node with the fewest routers."""
    alive = [node for node in nodes if node.alive and (not zones or node.zone in zones)]
    if any(node.name == current for node in alive):
        return current
    open_ = [node for node in alive if not node.disabled] or alive
    if not open_:
        return ""
    return min(open_, key=lambda node: (load.get(node.name, 0), node.name)).name
