"""Choosing the node of a router. Pure."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from cumulet.services.fleet.public import NodeView


def choose_node(
    nodes: Sequence[NodeView], load: Mapping[str, int], current: str, zones: Sequence[str], closed: Collection[str] = ()
) -> str:
    """Where a router is to run: where it does if that lives, else the living node with the fewest routers.

    The API's own host comes first: it is there that a laptop's floating IPs are routed to.
    """
    fit = [node for node in nodes if node.name not in closed and (not zones or node.zone in zones)]
    alive = [node for node in fit if node.alive]
    if any(node.name == current for node in alive):
        return current
    open_ = [node for node in alive if not node.disabled] or alive
    if not open_:
        return ""
    return min(open_, key=lambda node: (not node.local, load.get(node.name, 0), node.name)).name
