"""Guests without machines: a namespace with an interface whose other end stands where a machine's tap would."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import struct
from collections.abc import Awaitable, Callable
from typing import TypeVar

from cumulet.contracts.networks import NetworkSpec, PortSpec
from cumulet.drivers.network.linux.commands import Commands, add_namespaces, delete_namespace
from cumulet.drivers.network.linux.names import tap
from cumulet.drivers.network.linux.programs import placer
from cumulet.drivers.network.linux.tagging import Tagged, hooks
from cumulet.lib.netns import inside
from tests.support.patience import HANG_SECONDS

NOTHING_COMES_SECONDS = 0.2
SOMETHING_COMES_SECONDS = HANG_SECONDS
T = TypeVar("T")


async def eventually(condition: Callable[[], Awaitable[bool]], seconds: float = SOMETHING_COMES_SECONDS) -> bool:
    """Whether it becomes true in time; for what the kernel does by itself, and tells nobody."""
    deadline = asyncio.get_running_loop().time() + seconds
    while not await condition():
        if asyncio.get_running_loop().time() > deadline:
            return False
        await asyncio.sleep(0.01)
    return True


class Place:
    """Some namespace from which to speak."""

    def __init__(self, namespace: str) -> None:
        self.namespace = namespace
        self._listening: dict[tuple[str, int], socket.socket] = {}

    async def do(self, act: Callable[[], T]) -> T:
        return await inside(self.namespace, act)

    async def listen(self, protocol: str, port: int, family: int = socket.AF_INET) -> None:
        """Take TCP connections or UDP datagrams on every address."""

        def opened() -> socket.socket:
            kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
            fresh = socket.socket(family, kind)
            fresh.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            fresh.bind(("", port))
            if protocol == "tcp":
                fresh.listen()
            fresh.setblocking(False)
            return fresh

        if (protocol, port) not in self._listening:
            self._listening[protocol, port] = await self.do(opened)

    async def connect(self, address: str, port: int, seconds: float) -> socket.socket | None:
        """A TCP connection, or None if nobody answers."""
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        opened = await self.do(lambda: socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
        try:
            async with asyncio.timeout(seconds):
                await asyncio.get_running_loop().sock_connect(opened, (address, port))
        except (OSError, TimeoutError):
            opened.close()
            return None
        return opened

    async def accept(self, port: int) -> socket.socket:
        async with asyncio.timeout(SOMETHING_COMES_SECONDS):
            accepted, _ = await asyncio.get_running_loop().sock_accept(self._listening["tcp", port])
        return accepted

    async def receive(self, port: int, seconds: float = SOMETHING_COMES_SECONDS) -> tuple[bytes, str] | None:
        """A UDP datagram and who sent it."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(seconds):
                data, peer = await loop.sock_recvfrom(self._listening["udp", port], 2048)
        except TimeoutError:
            return None
        return data, str(peer[0])

    async def send(self, address: str, port: int, data: bytes = b"hello", tos: int = 0) -> None:
        """A UDP datagram."""

        def sent() -> None:
            with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as opened:
                if tos:
                    opened.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, tos)
                with contextlib.suppress(OSError):
                    opened.sendto(data, (address, port))

        await self.do(sent)

    async def ping(self, address: str, seconds: float) -> bool:
        """Whether an echo comes back."""
        number = os.getpid() & 0xFFFF
        body = struct.pack("!HH", number, 1) + b"hello"
        message = struct.pack("!BBH", 8, 0, checksum(b"\x08\x00\x00\x00" + body)) + body
        opened = await self.do(lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
        opened.setblocking(False)
        deadline = asyncio.get_running_loop().time() + seconds
        try:
            while asyncio.get_running_loop().time() < deadline:
                await asyncio.get_running_loop().sock_sendto(opened, message, (address, 0))
                if await arrives(opened, lambda got: got[20] == 0 and got[24:26] == body[:2], min(seconds, 0.5)):
                    return True
            return False
        except OSError:
            return False
        finally:
            opened.close()

    def close(self) -> None:
        for opened in self._listening.values():
            opened.close()


def guest_namespace(node_namespace: str, port_id: str) -> str:
    return f"{node_namespace}-guest-{port_id[:8]}"


class Guest(Place):
    """A guest on a port."""

    def __init__(self, node_namespace: str, port: PortSpec, network: NetworkSpec) -> None:
        super().__init__(guest_namespace(node_namespace, port.id))
        self.port = port
        self._network = network
        self._node_namespace = node_namespace

    async def start(self, commands: Commands, *, addresses: bool = True) -> Guest:
        """Plug it in, where the driver will find it, and give it the addresses of its port."""
        await add_namespaces(commands, [self.namespace])
        await commands.set_kernel(self.namespace, [("ipv6/conf/default/accept_dad", "0")])
        await self._plug_in(commands)
        lines = ["link set dev lo up", f"link set dev eth0 mtu {self._network.mtu}", "link set dev eth0 up"]
        if addresses:
            subnets = {subnet.id: subnet for subnet in self._network.subnets}
            for fixed in self.port.addresses:
                subnet = subnets[fixed.subnet_id]
                length = subnet.cidr.partition("/")[2]
                lines.append(f"addr add {fixed.ip}/{length} dev eth0" + (" nodad" if ":" in fixed.ip else ""))
                if subnet.gateway:
                    lines.append(f"route add default via {subnet.gateway} dev eth0")
                if subnet.dhcp_address and subnet.version == 4:
                    lines.append(f"route add 169.254.169.254/32 via {subnet.dhcp_address} dev eth0")
        await commands.ip(self.namespace, lines)
        return self

    async def _plug_in(self, commands: Commands) -> None:
        if self.port.trunk_port:
            return await self._plug_into_guest(commands)
        pair = f"link add name {tap(self.port.id)} type veth peer name eth0 address {self.port.mac}"
        # Up before it is connected: the kernel takes up to a second to notice that both ends are.
        up = f"link set dev {tap(self.port.id)} up"
        await commands.ip(self._node_namespace, [f"{pair} netns {self.namespace}", up])

    async def _plug_into_guest(self, commands: Commands) -> None:
        """Behind the guest on the trunk's port, which gives this one's frames their tag: not every kernel has VLANs."""
        guest, door = guest_namespace(self._node_namespace, self.port.trunk_port), f"to{self.port.id[:11]}"
        pair = f"link add name {door} type veth peer name eth0 address {self.port.mac} netns {self.namespace}"
        await commands.ip(guest, [pair, f"link set dev {door} mtu {self._network.mtu} up"])
        index = {name: link.index for name, link in (await commands.links(guest)).items()}
        await commands.tc(guest, ["qdisc replace dev eth0 clsact", f"qdisc add dev {door} clsact"])
        tagged = Tagged(self.port.id, "eth0", door, self.port.tag)
        await inside(guest, placer(hooks([tagged], index), index))

    async def raw(self) -> socket.socket:
        """Frames, as they are on the guest's wire."""

        def opened() -> socket.socket:
            fresh = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0003))
            fresh.bind(("eth0", 0x0003))
            fresh.setblocking(False)
            return fresh

        return await self.do(opened)

    async def lines(self, commands: Commands, *lines: str) -> None:
        """Configure it."""
        await commands.ip(self.namespace, lines)

    async def stop(self, commands: Commands) -> None:
        self.close()
        await delete_namespace(commands, self.namespace)


def checksum(data: bytes) -> int:
    """That of the Internet protocols."""
    data += b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def udp_packet(source: str, destination: str, sport: int, dport: int, data: bytes = b"forged") -> bytes:
    """An IPv4 packet with any source."""
    udp = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    start = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(udp), 7, 0, 64, 17, 0)
    ends = socket.inet_aton(source) + socket.inet_aton(destination)
    return start[:10] + struct.pack("!H", checksum(start + ends)) + ends + udp


def frame(source: str, destination: str, kind: int, body: bytes, tag: bytes = b"") -> bytes:
    octets = bytes.fromhex((destination + source).replace(":", ""))
    return octets + tag + struct.pack("!H", kind) + body


async def arrives(opened: socket.socket, wanted: Callable[[bytes], bool], seconds: float) -> bool:
    """Whether such a frame comes in time."""
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            while not wanted(await loop.sock_recv(opened, 4096)):
                pass
    except TimeoutError:
        return False
    return True
