"""Telling the neighbours that an address is here now: gratuitous ARP and unsolicited neighbour advertisements."""

from __future__ import annotations

import ipaddress
import socket
import struct
from collections.abc import Callable, Sequence

_ETH_ARP, _ETH_IPV6 = 0x0806, 0x86DD
_ALL_NODES = ipaddress.IPv6Address("ff02::1")
_BROADCAST = b"\xff" * 6


def announcement(address: str, mac: str) -> bytes:
    """The frame that says this address has this MAC. Pure."""
    octets = bytes.fromhex(mac.replace(":", ""))
    ip = ipaddress.ip_address(address)
    if isinstance(ip, ipaddress.IPv4Address):
        # A reply, not a request: some accept a change only from the one, some from either, if it is broadcast.
        body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + octets + ip.packed + _BROADCAST + ip.packed
        return _BROADCAST + octets + struct.pack("!H", _ETH_ARP) + body
    flags = 0xA0000000  # From a router, and to replace what was known.
    message = struct.pack("!BBHI", 136, 0, 0, flags) + ip.packed + struct.pack("!BB", 2, 1) + octets
    checksum = _checksum(ip.packed + _ALL_NODES.packed + struct.pack("!IBBBB", len(message), 0, 0, 0, 58) + message)
    message = message[:2] + struct.pack("!H", checksum) + message[4:]
    header = struct.pack("!IHBB", 6 << 28, len(message), 58, 255) + ip.packed + _ALL_NODES.packed
    return b"\x33\x33\x00\x00\x00\x01" + octets + struct.pack("!H", _ETH_IPV6) + header + message


def sender(frames: Sequence[tuple[str, bytes]]) -> Callable[[], None]:
    """What sends (interface, frame) pairs, to be run inside their namespace."""

    def send() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as opened:
            for interface, frame in frames:
                opened.sendto(frame, (interface, 0))

    return send


def _checksum(data: bytes) -> int:
    if len(data) % 2:
        data += b"\0"
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF
