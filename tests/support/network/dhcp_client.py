"""The smallest DHCP clients that can be told apart from a real one only by their manners: version 4 and 6."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import socket
import struct

from tests.support.network.guests import Guest

_COOKIE = b"\x63\x82\x53\x63"
_OFFER, _ACK = 2, 5
_PATIENCE_SECONDS = 0.3


async def discover(guest: Guest, mac: str, seconds: float) -> tuple[str, dict[int, bytes]] | None:
    """(address, options) as acknowledged; None if nobody answers."""

    def opened() -> socket.socket:
        fresh = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        fresh.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        fresh.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        fresh.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        fresh.bind(("", 68))
        fresh.setblocking(False)
        return fresh

    number = os.urandom(4)
    client = await guest.do(opened)
    try:
        async with asyncio.timeout(seconds):
            offered = await _exchange(client, number, mac, b"\x35\x01\x01", _OFFER)
            address, options = offered
            chosen = b"\x35\x01\x03" + b"\x32\x04" + socket.inet_aton(address) + b"\x36\x04" + options[54]
            return await _exchange(client, number, mac, chosen, _ACK)
    except TimeoutError:
        return None
    finally:
        client.close()


async def _exchange(
    client: socket.socket, number: bytes, mac: str, options: bytes, kind: int
) -> tuple[str, dict[int, bytes]]:
    loop = asyncio.get_running_loop()
    hardware = bytes.fromhex(mac.replace(":", "")).ljust(16, b"\0")
    asked = b"\x37\x08" + bytes([1, 3, 6, 12, 15, 26, 121, 249])
    head = struct.pack("!BBBB", 1, 1, 6, 0) + number + struct.pack("!HH", 0, 0x8000) + b"\0" * 16
    message = head + hardware + b"\0" * 192 + _COOKIE + options + asked + b"\xff"
    while True:
        # A first question may be lost while the kernel has not yet noticed that the port is connected.
        await loop.sock_sendto(client, message, ("255.255.255.255", 67))
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                return await _answer(client, number, kind)
        except TimeoutError:
            continue


async def _answer(client: socket.socket, number: bytes, kind: int) -> tuple[str, dict[int, bytes]]:
    while True:
        answer = await asyncio.get_running_loop().sock_recv(client, 2048)
        found = _options(answer[240:])
        if answer[4:8] == number and found.get(53) == bytes([kind]):
            return socket.inet_ntoa(answer[16:20]), found


def _options(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    while data and data[0] != 255:
        if data[0] == 0:
            data = data[1:]
            continue
        found[data[0]] = found.get(data[0], b"") + data[2 : 2 + data[1]]
        data = data[2 + data[1] :]
    return found


def routes(option: bytes) -> dict[str, str]:
    """Destination → next hop, of option 121."""
    found = {}
    while option:
        length = option[0]
        octets = (length + 7) // 8
        destination = option[1 : 1 + octets].ljust(4, b"\0")
        hop = option[1 + octets : 5 + octets]
        found[f"{socket.inet_ntoa(destination)}/{length}"] = socket.inet_ntoa(hop)
        option = option[5 + octets :]
    return found


async def solicit6(guest: Guest, mac: str, seconds: float) -> str | None:
    """The address that a DHCPv6 server advertises."""

    def opened() -> socket.socket:
        fresh = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        fresh.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0")
        fresh.bind(("::", 546))
        fresh.setblocking(False)
        return fresh

    loop = asyncio.get_running_loop()
    client = await guest.do(opened)
    scope = await guest.do(lambda: socket.if_nametoindex("eth0"))
    number = os.urandom(3)
    identity = struct.pack("!HHHH", 1, 10, 3, 1) + bytes.fromhex(mac.replace(":", ""))
    association = struct.pack("!HHIII", 3, 12, 1, 0, 0)
    message = b"\x01" + number + identity + association
    try:
        async with asyncio.timeout(seconds):
            while True:
                await loop.sock_sendto(client, message, ("ff02::1:2", 547, 0, scope))
                try:
                    async with asyncio.timeout(_PATIENCE_SECONDS):
                        answer = await loop.sock_recv(client, 2048)
                except TimeoutError:
                    continue
                address = _advertised(answer, number)
                if address:
                    return address
    except TimeoutError:
        return None
    finally:
        client.close()


def _advertised(answer: bytes, number: bytes) -> str:
    if answer[:1] != b"\x02" or answer[1:4] != number:
        return ""
    rest = answer[4:]
    while len(rest) >= 4:
        code, length = struct.unpack("!HH", rest[:4])
        body, rest = rest[4 : 4 + length], rest[4 + length :]
        if code == 3 and len(body) > 12:
            inner, size = struct.unpack("!HH", body[12:16])
            if inner == 5 and size >= 16:
                return str(ipaddress.IPv6Address(body[16:32]))
    return ""
