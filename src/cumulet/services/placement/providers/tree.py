"""Where a provider stands in its tree: decided purely, over the tree's parents."""

from __future__ import annotations

from collections.abc import Mapping

DEEPEST = 64
"""How many ancestors a provider may have."""


def ancestors(parents: Mapping[str, str], start: str) -> list[str]:
    """A provider and those above it, the root last. `parents` is empty for a root."""
    path = [start]
    while parents.get(path[-1]) and len(path) <= len(parents):
        path.append(parents[path[-1]])
    return path


def subtree(parents: Mapping[str, str], top: str) -> set[str]:
    """A provider and everything below it."""
    children: dict[str, list[str]] = {}
    for child, parent in parents.items():
        children.setdefault(parent, []).append(child)
    found: set[str] = set()
    waiting = [top]
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting += children.get(node, ())
    return found


def height(parents: Mapping[str, str], top: str) -> int:
    """How many steps lead down from a provider at most."""
    below = subtree(parents, top)
    return max(ancestors(parents, node).index(top) for node in below)
