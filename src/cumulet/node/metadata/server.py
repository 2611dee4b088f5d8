"""The metadata service of a node: answers at 169.254.169.254 in every network that its guests are on.

Who asks is certain: the socket belongs to one network, anti-spoofing holds each port to its own addresses, and no
header is believed. So there is nothing to log in with, and nothing that a guest could forge.

Each place where guests can ask is one listening socket, made inside the network namespace of that place and then served
from here. All guests share this process, so everything is bounded: bytes, seconds, connections for each address.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import socket
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from cumulet.drivers.network.base import Guests, MetadataPlace
from cumulet.lib.netns import inside
from cumulet.lib.process import net_namespace_path
from cumulet.node.metadata.conversation import Answer, Conversation, Request
from cumulet.node.metadata.documents import SEED_BYTES, page

logger = logging.getLogger(__name__)

_BACKLOG = 64
_CONNECTIONS_PER_GUEST = 8
_CONNECTIONS = 512

OpenSocket = Callable[[MetadataPlace], Awaitable[socket.socket]]


class Passwords(Protocol):
    """Where a guest may leave the encrypted password that it made for its owner, once."""

    def read(self, machine_id: str) -> bytes: ...

    def write(self, machine_id: str, password: bytes) -> bool:
        """False if there is one already."""
        ...


@dataclass(frozen=True, slots=True)
class _Open:
    server: asyncio.Server
    inode: int


class MetadataServer:
    """Listens at a changing set of places."""

    def __init__(self, guests: Guests, passwords: Passwords, open_socket: OpenSocket | None = None) -> None:
        self._guests = guests
        self._passwords = passwords
        self._open_socket = open_socket or open_in_namespace
        self._open: dict[MetadataPlace, _Open] = {}
        self._busy: Counter[tuple[str, str]] = Counter()
        self._conversations: set[asyncio.Task[None]] = set()

    async def ensure(self, places: Iterable[MetadataPlace]) -> dict[MetadataPlace, str]:
        """Listen at exactly these places; those where it failed, with the reason. Call again after a failure."""
        wanted = set(places)
        for place in [p for p, opened in self._open.items() if p not in wanted or opened.inode != _inode(p)]:
            self._open.pop(place).server.close()
        failed: dict[MetadataPlace, str] = {}
        for place in wanted - self._open.keys():
            inode = _inode(place)  # of before: a namespace made anew meanwhile shows at the next look
            try:
                listening = await self._open_socket(place)
                server = await asyncio.start_server(self._accept(place), sock=listening, limit=1 << 14)
            except (OSError, TimeoutError) as error:
                failed[place] = str(error)
            else:
                self._open[place] = _Open(server, inode)
        return failed

    async def close(self) -> None:
        """Stop listening and end every conversation."""
        await self.ensure(())
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)

    def _accept(self, place: MetadataPlace) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], None]:
        def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.get_running_loop().create_task(self._converse(place, reader, writer))
            self._conversations.add(task)
            task.add_done_callback(self._conversations.discard)

        return accepted

    async def _converse(self, place: MetadataPlace, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = writer.get_extra_info("peername")
        address = str(peer[0]).partition("%")[0] if peer else ""
        asker = (place.network_id, address)
        self._busy[asker] += 1
        try:
            if self._busy[asker] <= _CONNECTIONS_PER_GUEST and self._busy.total() <= _CONNECTIONS:
                await Conversation(reader, writer).serve(lambda request: self._answer(place, address, request))
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # A guest that goes away or dawdles harms only itself.
        except Exception:
            logger.exception("metadata for %s in network %s failed", address, place.network_id)
        finally:
            self._busy[asker] -= 1
            if not self._busy[asker]:
                del self._busy[asker]
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _answer(self, place: MetadataPlace, address: str, request: Request) -> Answer:
        found = self._guests.by_address(place.network_id, address)
        if found is None:
            return Answer(404, b"Unknown guest.")
        machine_id, guest = found
        if request.method == "POST":
            return self._take_password(machine_id, request)
        if request.method not in ("GET", "HEAD"):
            return Answer(405, b"Only GET, HEAD and, for the password, POST.")
        shown = page(
            request.path,
            guest,
            machine_id,
            address=address,
            seed=secrets.token_bytes(SEED_BYTES),
            password=self._passwords.read(machine_id),
        )
        return Answer(404, b"There is no such page.") if shown is None else Answer(200, shown.body, shown.media_type)

    def _take_password(self, machine_id: str, request: Request) -> Answer:
        parts = request.path.strip("/").split("/")
        if len(parts) != 3 or parts[0] != "openstack" or parts[2] != "password":
            return Answer(405, b"Only the password can be posted.")
        if not self._passwords.write(machine_id, request.body):
            return Answer(409, b"There is a password already.")
        return Answer(200, b"")


async def open_in_namespace(place: MetadataPlace) -> socket.socket:
    """A socket listening at that place: inside its namespace, bound to its interface."""

    def listen() -> socket.socket:
        family = socket.AF_INET6 if ":" in place.address else socket.AF_INET
        opened = socket.socket(family, socket.SOCK_STREAM)
        try:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, place.device.encode())
            if family == socket.AF_INET6:
                opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                scope = socket.if_nametoindex(place.device)
                opened.bind((place.address, place.port, 0, scope))
            else:
                opened.bind((place.address, place.port))
            opened.listen(_BACKLOG)
            opened.setblocking(False)
        except BaseException:
            opened.close()
            raise
        return opened

    return await inside(place.namespace, listen)


def _inode(place: MetadataPlace) -> int:
    """Which namespace has this name now: one made anew under the old name needs a socket of its own."""
    try:
        return os.stat(net_namespace_path(place.namespace)).st_ino
    except OSError:
        return 0
