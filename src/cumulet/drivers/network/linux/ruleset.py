"""nftables rules as values: written whole, or as the difference between two; either way one transaction."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

BRIDGE = "bridge cumulet"
INET = "inet cumulet"
"""The two tables of a node's namespace: frames between ports, and packets of the Internet protocols."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A list of rules. With a hook, the kernel calls it; without, other chains jump to it."""

    rules: tuple[str, ...]
    hook: str = ""


@dataclass(frozen=True, slots=True)
class Elements:
    """A named set, or a map if its elements are `key : value`."""

    type: str
    """As it is declared: `type ipv4_addr`, `type ifname : verdict`."""
    elements: frozenset[str]
    kind: str = "set"


@dataclass(frozen=True)
class Ruleset:
    """Everything in force in one namespace. Keys are `family table name`."""

    chains: Mapping[str, Chain] = field(default_factory=dict)
    sets: Mapping[str, Elements] = field(default_factory=dict)

    def text(self) -> str:
        """The script that replaces whatever is there by this, at one instant. Pure."""
        lines: list[str] = []
        for table in _tables([*self.chains, *self.sets]):
            # Declared before it is deleted, for deleting what is not there is an error.
            lines += [f"table {table} {{}}", f"delete table {table}", f"table {table} {{}}"]
        return "\n".join([*lines, *_declared(self.sets, self.chains), ""])


def transaction(old: Ruleset, new: Ruleset) -> str:
    """The script that leads from one to the other, touching nothing else; empty if they are equal. Pure."""
    changed = {name: chain for name, chain in new.chains.items() if old.chains.get(name) != chain}
    gone = [name for name in old.chains if name not in new.chains]
    fresh_sets = {name: elements for name, elements in new.sets.items() if name not in old.sets}
    kept_sets = [name for name in old.sets if name in new.sets]
    lines = [f"flush chain {name}" for name in [*gone, *changed] if name in old.chains]
    for name in kept_sets:
        lines += _element_lines("delete", name, old.sets[name].elements - new.sets[name].elements)
    lines += _declared(fresh_sets, changed, declared=old.chains.keys())
    for name in kept_sets:
        lines += _element_lines("add", name, new.sets[name].elements - old.sets[name].elements)
    # No chain that goes has rules by now, but maps that go still lead to some.
    lines += [f"delete {old.sets[name].kind} {name}" for name in old.sets if name not in new.sets]
    lines += [f"delete chain {name}" for name in gone]
    return "\n".join([*lines, ""]) if lines else ""


def only_grows(old: Ruleset, new: Ruleset) -> bool:
    """Whether everything that the old rules had is still in the new ones: then no flow can have lost its right."""
    return all(
        name in new.chains and set(chain.rules) <= set(new.chains[name].rules) for name, chain in old.chains.items()
    ) and all(name in new.sets and named.elements <= new.sets[name].elements for name, named in old.sets.items())


def _tables(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name.rsplit(" ", 1)[0] for name in names))


def _declared(
    sets: Mapping[str, Elements],
    chains: Mapping[str, Chain],
    declared: Iterable[str] = (),
) -> Iterator[str]:
    """Sets, then chains without rules, then their rules and the maps: each can refer to all before it."""
    known = set(declared)
    for name, named in sets.items():
        if named.kind == "set":
            yield f"add set {name} {{ {named.type}; }}"
            yield from _element_lines("add", name, named.elements)
    for name, chain in chains.items():
        if name not in known:
            yield f"add chain {name}" + (f" {{ {chain.hook} }}" if chain.hook else "")
    for name, named in sets.items():
        if named.kind == "map":
            yield f"add map {name} {{ {named.type}; }}"
            yield from _element_lines("add", name, named.elements)
    for table in _tables(chains):
        blocks = [
            f"chain {name.rsplit(' ', 1)[1]} {{\n" + "".join(f"  {rule}\n" for rule in chain.rules) + " }"
            for name, chain in chains.items()
            if name.startswith(f"{table} ") and chain.rules
        ]
        if blocks:
            yield f"table {table} {{"
            yield from (f" {block}" for block in blocks)
            yield "}"


def _element_lines(verb: str, name: str, elements: Iterable[str]) -> Iterator[str]:
    joined = ", ".join(sorted(elements))
    if joined:
        yield f"{verb} element {name} {{ {joined} }}"
