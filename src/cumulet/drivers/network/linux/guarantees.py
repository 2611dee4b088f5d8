"""Promised bandwidth on the provider's wires: a class for each port, below one for the whole wire. Pure.

Who sends less than he was promised leaves the rest to the others; who was promised nothing shares what is left. A wire
on which nothing is promised is left as it is. Frames are put into their class by the filter, at the guest's interface.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from cumulet.contracts.networks import Fabric, NetworkType, PortSpec
from cumulet.drivers.network.linux.node import Node
from cumulet.drivers.network.rules import is_guests

MAJOR = 1
_WIRE, _OTHERS = 0xFFFE, 1
_LEAST_KBPS = 8
_QUANTUM = 6000
"""Bytes that a class sends in its turn while others wait too."""


@dataclass(frozen=True, slots=True)
class Shares:
    """What is promised on one wire."""

    kbps: int
    """What goes through it."""
    least: tuple[tuple[int, int], ...]
    """(class, kbit/s)."""

    @property
    def others(self) -> int:
        """What is left for those who were promised nothing."""
        return max(_LEAST_KBPS, self.kbps - sum(kbps for _, kbps in self.least))


def promised(fabric: Fabric, node: Node) -> dict[str, tuple[str, int]]:
    """The ports that are promised some of a wire: port → (interface, class)."""
    ends, rates = dict(node.wires), dict(node.rates)
    physical = {
        network.id: network.physical_network
        for network in fabric.networks
        if network.type in (NetworkType.FLAT, NetworkType.VLAN)
    }
    ports = [port for port in fabric.ports if port.host == node.name and is_guests(port) and port.egress_least_kbps]
    wired = {port.id: name for port in ports if (name := physical.get(port.network_id, "")) in ends and name in rates}
    return {id_: (ends[wired[id_]], number) for id_, number in _numbers(wired).items()}


def _numbers(port_ids: Iterable[str]) -> dict[str, int]:
    """A class for each of these: by its id, so that it stays when others come and go."""
    found: dict[str, int] = {}
    taken = {_WIRE, _OTHERS, 0, 0xFFFF}
    for id_ in sorted(port_ids):
        number = hash_of(id_)
        while number in taken:
            number = (number + 1) % 0xFFFF
        taken.add(number)
        found[id_] = number
    return found


def hash_of(port_id: str) -> int:
    number = 0
    for letter in port_id:
        number = (number * 31 + ord(letter)) % 0xFFFF
    return number


def priority_rule(number: int) -> str:
    """What puts a frame into its class."""
    return f"meta priority set {MAJOR:x}:{number:x}"


def shares(fabric: Fabric, node: Node) -> dict[str, Shares]:
    """Interface → what is promised on it."""
    ports: dict[str, PortSpec] = {port.id: port for port in fabric.ports if port.host == node.name}
    rates = {end: dict(node.rates)[name] for name, end in node.wires if name in dict(node.rates)}
    least: dict[str, list[tuple[int, int]]] = {}
    for id_, (interface, number) in promised(fabric, node).items():
        least.setdefault(interface, []).append((number, ports[id_].egress_least_kbps))
    return {end: Shares(rates[end], tuple(sorted(found))) for end, found in least.items()}


def parse_shared(shown: bytes) -> set[str]:
    """Interfaces that have classes, from `tc -j qdisc show`."""
    queues = msgspec.json.decode(shown.strip() or b"[]", type=list[dict[str, Any]])
    return {queue["dev"] for queue in queues if queue.get("kind") == "htb" and queue.get("root")}


def share_lines(have: Mapping[str, Shares], want: Mapping[str, Shares]) -> list[str]:
    """Lines for `tc -batch`."""
    lines = [f"qdisc del dev {device} root" for device in have if device not in want]
    for device, wanted in want.items():
        before = have.get(device)
        if before == wanted:
            continue
        if before is None:
            lines.append(f"qdisc replace dev {device} root handle {MAJOR}: htb default {_OTHERS:x}")
        whole = _class(device, _WIRE, f"{MAJOR}:", wanted.kbps, wanted.kbps)
        parent = f"{MAJOR}:{_WIRE:x}"
        lines += [whole, _class(device, _OTHERS, parent, wanted.others, wanted.kbps)]
        old = dict(before.least) if before else {}
        kept = dict(wanted.least)
        lines += [f"class del dev {device} classid {MAJOR}:{number:x}" for number in old if number not in kept]
        lines += [_class(device, number, parent, kbps, wanted.kbps) for number, kbps in wanted.least]
    return lines


def _class(device: str, number: int, parent: str, kbps: int, most: int) -> str:
    return (
        f"class replace dev {device} parent {parent} classid {MAJOR}:{number:x} "
        f"htb rate {min(kbps, most)}kbit ceil {most}kbit quantum {_QUANTUM}"
    )
