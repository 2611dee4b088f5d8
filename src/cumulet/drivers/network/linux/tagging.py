"""Frames of sub-ports: untagged on their way out of a guest, tagged on their way in. Pure.

A sub-port's interface is a pair. One end stands in the bridge of its network, under the name of any port's interface:
groups, limits and anti-spoofing see nothing unusual. At the other end, and at the interface of the trunk's own port,
hang small programs of the kernel's traffic control, which take the tag off or put it on and pass the frame over:

    guest ⇄ tap of the trunk's port ⇄ [tag] ⇄ far end ⇄ near end ⇄ bridge of the sub-port's network

Frames without a tag, or with one that no sub-port has, go on as if there were no programs.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from cumulet.contracts.networks import PortSpec
from cumulet.drivers.network.linux import names

_MOVE, _LOAD_WORD, _SET, _AND, _SKIP_UNLESS, _SKIP_IF, _CALL, _END = 0xBF, 0x61, 0xB7, 0x57, 0x55, 0x15, 0x85, 0x95
_HAS_TAG, _TAG = 20, 24
"""Where a program finds these of its frame."""
_TAG_ON, _TAG_OFF, _PASS_OVER = 18, 19, 23
"""Functions of the kernel."""
_NEXT_PROGRAM = -1
_DOT1Q = int.from_bytes(struct.pack("!H", 0x8100), "little")


@dataclass(frozen=True, slots=True, order=True)
class Tagged:
    """A sub-port of this node."""

    port_id: str
    trunk: str
    """The interface of the trunk's own port."""
    far_end: str
    number: int


@dataclass(frozen=True, slots=True)
class Hook:
    """A program where frames come in to an interface. What it does is all in its name."""

    device: str
    place: int
    """Among the device's programs; each frame is shown to one after the other."""
    name: str
    program: bytes


def tagged(ports: Iterable[PortSpec]) -> frozenset[Tagged]:
    """The sub-ports among a node's own ports."""
    return frozenset(
        Tagged(port.id, names.tap(port.trunk_port), names.tagged(port.id), port.tag)
        for port in ports
        if port.trunk_port
    )


def hooks(sub_ports: Iterable[Tagged], index: Mapping[str, int]) -> list[Hook]:
    """The programs of these. `index`: the kernel's number of each interface; without one there can be no program."""
    found = []
    for sub in sorted(sub_ports):
        trunk, far_end = index.get(sub.trunk, 0), index.get(sub.far_end, 0)
        if trunk and far_end:
            off, on = f"untag {sub.number} to {far_end}", f"tag {sub.number} to {trunk}"
            found.append(Hook(sub.trunk, sub.number, off, untagging(sub.number, far_end)))
            found.append(Hook(sub.far_end, 1, on, tagging(sub.number, trunk)))
    return found


def untagging(number: int, target: int) -> bytes:
    """Takes this tag off and passes the frame to that interface; other frames are left to the next program."""
    return b"".join(
        (
            _step(_MOVE, 6, 1),
            _step(_LOAD_WORD, 2, 6, _HAS_TAG),
            _step(_SKIP_IF, 2, skip=9),
            _step(_LOAD_WORD, 2, 6, _TAG),
            _step(_AND, 2, value=0xFFF),
            _step(_SKIP_UNLESS, 2, skip=6, value=number),
            _step(_MOVE, 1, 6),
            _step(_CALL, value=_TAG_OFF),
            *_pass_over(target),
            _step(_SET, 0, value=_NEXT_PROGRAM),
            _step(_END),
        )
    )


def tagging(number: int, target: int) -> bytes:
    """Puts this tag on every frame and passes it to that interface."""
    return b"".join(
        (_step(_SET, 2, value=_DOT1Q), _step(_SET, 3, value=number), _step(_CALL, value=_TAG_ON), *_pass_over(target))
    )


def _pass_over(target: int) -> tuple[bytes, ...]:
    return _step(_SET, 1, value=target), _step(_SET, 2, value=0), _step(_CALL, value=_PASS_OVER), _step(_END)


def _step(code: int, register: int = 0, source: int = 0, skip: int = 0, *, value: int = 0) -> bytes:
    return struct.pack("<BBhi", code, source << 4 | register, skip, value)


def hooked_devices(queues: bytes) -> set[str]:
    """The interfaces that can have programs, from `tc -j qdisc show`."""
    return {queue["dev"] for queue in _entries(queues) if queue.get("kind") == "clsact"}


def parse_hooks(device: str, shown: bytes) -> dict[tuple[str, int], str]:
    """(device, place) → name, from `tc -j filter show dev … ingress`."""
    return {
        (device, entry["pref"]): entry["options"].get("bpf_name", "")
        for entry in _entries(shown)
        if entry.get("kind") == "bpf" and "options" in entry
    }


def hook_lines(
    hooked: set[str], found: Mapping[tuple[str, int], str], wanted: Iterable[Hook]
) -> tuple[list[str], list[Hook]]:
    """(lines for `tc -batch`, programs to be put in place after them). What is replaced is never missing in between."""
    places = {(hook.device, hook.place) for hook in wanted}
    devices = {device for device, _ in places}
    lines = [f"qdisc del dev {device} clsact" for device in sorted(hooked - devices)]
    lines += [f"qdisc add dev {device} clsact" for device in sorted(devices - hooked)]
    lines += [
        f"filter del dev {device} ingress pref {place}"
        for device, place in sorted(found)
        if device in devices and (device, place) not in places
    ]
    return lines, [hook for hook in wanted if found.get((hook.device, hook.place)) != hook.name]


def _entries(shown: bytes) -> list[dict[str, Any]]:
    return [entry for entry in msgspec.json.decode(shown.strip() or b"[]", type=list[dict[str, Any]]) if entry]
