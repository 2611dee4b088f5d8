"""Where providers stand in their tree."""

from __future__ import annotations

from cumulet.services.placement.providers.tree import ancestors, height, subtree

TREE = {"root": "", "left": "root", "right": "root", "leaf": "left"}


def test_upwards_and_downwards() -> None:
    assert ancestors(TREE, "leaf") == ["leaf", "left", "root"]
    assert ancestors(TREE, "root") == ["root"]
    assert subtree(TREE, "left") == {"left", "leaf"}
    assert subtree(TREE, "leaf") == {"leaf"}
    assert [height(TREE, top) for top in ("leaf", "left", "root")] == [0, 1, 2]


def test_a_ring_ends() -> None:
    ring = {"a": "b", "b": "a"}
    assert set(ancestors(ring, "a")) == {"a", "b"}
    assert subtree(ring, "a") == {"a", "b"}
