"""Which node a router runs on."""

from __future__ import annotations

import pytest

from cumulet.contracts.assignments import NodeFacts
from cumulet.services.fleet.public import NodeView
from cumulet.services.network.routers.placing import choose_node


def node(name: str, *, local: bool = False, alive: bool = True, disabled: bool = False, zone: str = "nova") -> NodeView:
    facts = NodeFacts(
        name=name,
        hypervisor="QEMU",
        accelerator="tcg",
        hypervisor_version=7002019,
        vcpus=4,
        memory_mib=8192,
        disk_gib=100,
        tunnel_address="198.51.100.1",
        address="198.51.100.1:5001",
    )
    return NodeView(name, alive, disabled, zone, facts, 0, local=local)


@pytest.mark.parametrize(
    ("nodes", "load", "current", "chosen"),
    [
        ([node("a"), node("b", local=True)], {"b": 9}, "", "b"),
        ([node("a"), node("b", local=True)], {}, "a", "a"),
        ([node("a"), node("b", local=True, alive=False)], {}, "b", "a"),
        ([node("a"), node("b", local=True, disabled=True)], {}, "", "a"),
        ([node("a", local=True), node("b", local=True)], {"a": 1}, "", "b"),
        ([node("a", disabled=True)], {}, "", "a"),
        ([node("a", alive=False)], {}, "a", ""),
    ],
)
def test_beside_the_api_first_but_never_moved_while_its_node_lives(
    nodes: list[NodeView], load: dict[str, int], current: str, chosen: str
) -> None:
    assert choose_node(nodes, load, current, ()) == chosen


def test_only_in_its_zones_and_where_it_is_not_closed() -> None:
    nodes = [node("a", local=True), node("b", zone="west"), node("c", zone="west")]
    assert choose_node(nodes, {}, "", ("west",)) == "b"
    assert choose_node(nodes, {}, "", ("west",), ("b",)) == "c"
