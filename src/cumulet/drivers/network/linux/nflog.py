"""What the kernel says of packets that rules log to a group of its netlink: bytes to ask by, and bytes read. Pure."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

GROUP = 7
"""Each network namespace has groups of its own."""
SNAP_BYTES = 96
"""Of each packet the headers are enough."""

_ULOG, _PACKET, _CONFIG = 4, 0, 1
_REQUEST, _ACKNOWLEDGE = 1, 4
_CONFIGURE, _MODE, _TIMEOUT, _THRESHOLD = 1, 2, 4, 5
_BIND, _COPY_PACKETS = 1, 2
_HEADER, _PAYLOAD, _PREFIX = 1, 9, 10
_BATCH, _HUNDREDTHS = 32, 10
"""So many packets are told together, or those of so long."""
_IPV4, _ARP, _IPV6 = 0x0800, 0x0806, 0x86DD
_WITH_PORTS = {6: "tcp", 17: "udp", 33: "dccp", 132: "sctp", 136: "udplite"}
_WITH_TYPES = {1: "icmp", 58: "icmpv6"}


@dataclass(frozen=True, slots=True)
class Logged:
    """One packet that a rule logged."""

    prefix: str
    """What the rule says."""
    protocol: int
    """Ethernet's number for what is inside."""
    packet: bytes
    """As much of it as was asked for."""


def requests() -> list[bytes]:
    """What a socket sends so that it is told of packets; each is acknowledged."""
    return [
        _request(_CONFIGURE, struct.pack("=B", _BIND)),
        _request(_MODE, struct.pack("!IBB", SNAP_BYTES, _COPY_PACKETS, 0)),
        _request(_TIMEOUT, struct.pack("!I", _HUNDREDTHS)),
        _request(_THRESHOLD, struct.pack("!I", _BATCH)),
    ]


def _request(kind: int, value: bytes) -> bytes:
    attribute = struct.pack("=HH", 4 + len(value), kind) + value
    body = struct.pack("!BBH", 0, 0, GROUP) + attribute + bytes(-len(attribute) % 4)
    head = struct.pack("=IHHII", 16 + len(body), _ULOG << 8 | _CONFIG, _REQUEST | _ACKNOWLEDGE, 0, 0)
    return head + body


def refusal(answer: bytes) -> int:
    """The number of the error in an acknowledgement; 0: it was done."""
    return -int(struct.unpack_from("=i", answer, 16)[0])


def packets(datagram: bytes) -> Iterator[Logged]:
    """The packets in what such a socket received. What is broken off or about something else is left out."""
    place = 0
    while place + 16 <= len(datagram):
        length, kind = struct.unpack_from("=IH", datagram, place)
        if length < 16:
            return
        if kind == _ULOG << 8 | _PACKET:
            found = dict(_attributes(datagram[place + 20 : place + length]))
            if len(found.get(_HEADER, b"")) >= 2:
                prefix = found.get(_PREFIX, b"").rstrip(b"\0").decode("ascii", "replace")
                (protocol,) = struct.unpack_from("!H", found[_HEADER])
                yield Logged(prefix, protocol, found.get(_PAYLOAD, b""))
        place += length + -length % 4


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    place = 0
    while place + 4 <= len(data):
        length, kind = struct.unpack_from("=HH", data, place)
        if length < 4:
            return
        yield kind & 0x7FFF, data[place + 4 : place + length]
        place += length + -length % 4


def described(logged: Logged) -> dict[str, Any]:
    """A packet in words: addresses, protocol, ports or type, as far as it goes."""
    data = logged.packet
    if logged.protocol == _IPV4 and len(data) >= 20:
        number, start = data[9], (data[0] & 0x0F) * 4
        source, destination = data[12:16], data[16:20]
        first = not struct.unpack_from("!H", data, 6)[0] & 0x1FFF
    elif logged.protocol == _IPV6 and len(data) >= 40:
        number, start, first = data[6], 40, True
        source, destination = data[8:24], data[24:40]
    else:
        return {"protocol": "arp" if logged.protocol == _ARP else f"ethernet {logged.protocol:#06x}"}
    shown = {"source": str(ipaddress.ip_address(source)), "destination": str(ipaddress.ip_address(destination))}
    rest = data[start:] if first else b""
    if number in _WITH_PORTS and len(rest) >= 4:
        ports = struct.unpack_from("!HH", rest)
        return {"protocol": _WITH_PORTS[number], **shown, "source_port": ports[0], "destination_port": ports[1]}
    if number in _WITH_TYPES and len(rest) >= 2:
        return {"protocol": _WITH_TYPES[number], **shown, "type": rest[0], "code": rest[1]}
    return {"protocol": _WITH_PORTS.get(number) or _WITH_TYPES.get(number) or str(number), **shown}
