"""Interfaces of the node's namespace: what each should be, and the lines for `ip -batch` that lead there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from cumulet.drivers.network.linux.names import Element, alias, owner


@dataclass(frozen=True, slots=True)
class Link:
    """One interface as it should be."""

    name: str
    element: Element
    """Whose it is; its alias says so."""
    make: str
    """What follows `ip` to create it. Empty: it is there already, and not ours."""
    kind: str = ""
    """What it must be; one of another kind, or with another `identity`, is made anew. Empty: whatever stands there, for
    a tap may have been made by somebody else."""
    identity: Mapping[str, object] = field(default_factory=dict)
    """Properties, as `ip -d -j` shows them, that cannot be changed later."""
    mac: str = ""
    mtu: int = 0
    master: str = ""
    port: Mapping[str, bool] = field(default_factory=dict)
    """Properties as a port of a bridge."""
    peer: str = ""
    """The other end of a pair, if that stands in the node's namespace too; it has no other purpose than this one."""
    up: bool = True
    in_host: bool = False
    """Made in the namespace that we run in, and moved."""


@dataclass(frozen=True, slots=True)
class FoundLink:
    """One interface as it is."""

    name: str
    alias: str
    kind: str
    mac: str
    mtu: int
    master: str
    up: bool
    details: Mapping[str, object]
    port: Mapping[str, object]
    index: int = 0
    peer: str = ""


def parse_links(shown: bytes) -> dict[str, FoundLink]:
    """From the output of `ip -d -j link show`."""
    found = {}
    for entry in msgspec.json.decode(shown or b"[]", type=list[dict[str, Any]]):
        info = entry.get("linkinfo", {})
        found[entry["ifname"]] = FoundLink(
            name=entry["ifname"],
            alias=entry.get("ifalias", ""),
            kind=info.get("info_kind", ""),
            mac=entry.get("address", ""),
            mtu=entry.get("mtu", 0),
            master=entry.get("master", ""),
            up="UP" in entry.get("flags", ()),
            details=info.get("info_data", {}),
            port=info.get("info_slave_data", {}),
            index=entry.get("ifindex", 0),
            peer=entry.get("link", ""),
        )
    return found


@dataclass(frozen=True, slots=True)
class Lines:
    """Lines for `ip -batch`, in the order of their running."""

    clearing: tuple[str, ...] = ()
    """In the node's namespace: what stands in the way."""
    host: tuple[str, ...] = ()
    node: tuple[str, ...] = ()

    def __add__(self, more: Lines) -> Lines:
        return Lines(self.clearing + more.clearing, self.host + more.host, self.node + more.node)


def lines_for(link: Link, found: Mapping[str, FoundLink]) -> Lines:
    """What makes this interface as it should be; nothing if it is. Raises ValueError if that cannot be."""
    there = found.get(link.name)
    if there is not None and owner(there.alias) not in (None, link.element):
        raise ValueError(f"the interface {link.name} belongs to {there.alias}")
    clearing: tuple[str, ...] = ()
    if there is not None and link.kind and not _is_right_kind(link, there):
        clearing, there = (f"link del dev {link.name}",), None
    if there is not None:
        return Lines(clearing, (), tuple(_changes(link, there)))
    if not link.make:
        raise ValueError(f"the interface {link.name} is not in the node's namespace")
    changes = tuple(_changes(link, None))
    return Lines(clearing, (link.make,), changes) if link.in_host else Lines(clearing, (), (link.make, *changes))


def _is_right_kind(link: Link, there: FoundLink) -> bool:
    return there.kind == link.kind and all(there.details.get(name) == value for name, value in link.identity.items())


def _changes(link: Link, there: FoundLink | None) -> list[str]:
    words: list[str] = []
    whose = alias(*link.element)
    if link.make and (there is None or there.alias != whose):
        words.append(f"alias {whose}")
    if link.mac and (there is None or there.mac != link.mac):
        words.append(f"address {link.mac}")
    if link.mtu and (there is None or there.mtu != link.mtu):
        words.append(f"mtu {link.mtu}")
    joins = bool(link.master) and (there is None or there.master != link.master)
    if joins:
        words.append(f"master {link.master}")
    lines = [f"link set dev {link.name} {' '.join(words)}"] if words else []
    # A port that joins a bridge begins anew.
    options = [
        f"{name} {'on' if value else 'off'}"
        for name, value in link.port.items()
        if joins or there is None or there.port.get(name) != value
    ]
    if options:
        lines.append(f"link set dev {link.name} type bridge_slave {' '.join(options)}")
    if there is None or there.up != link.up:
        lines.append(f"link set dev {link.name} {'up' if link.up else 'down'}")
    if link.peer and there is None:
        lines += [f"link set dev {link.peer} alias {whose} mtu {link.mtu}", f"link set dev {link.peer} up"]
    return lines


def deletions(names: Iterable[str], found: Mapping[str, FoundLink]) -> list[str]:
    """Lines that delete these; of a pair one end is enough, for the other goes with it."""
    going = set(names)
    return [
        f"link del dev {name}" for name in sorted(going) if not (name > found[name].peer and found[name].peer in going)
    ]


def without(found: Mapping[str, FoundLink], gone: Iterable[str]) -> dict[str, FoundLink]:
    """What is left when these are deleted: the other end of a pair goes with the one."""
    names = set(gone)
    return {name: link for name, link in found.items() if name not in names and link.peer not in names}


def surplus(wanted: Iterable[Link], found: Mapping[str, FoundLink], settled: Iterable[Element]) -> list[str]:
    """Names of interfaces that an element no longer has. Those of elements that are unknown here stay."""
    names = {name for link in wanted for name in (link.name, link.peer)}
    known = set(settled)
    return [name for name, link in found.items() if name not in names and owner(link.alias) in known]
