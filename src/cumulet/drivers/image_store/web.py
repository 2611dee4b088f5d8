"""Reading an image from a web server that a client named, without lending him our place in the network.

The address is resolved here, every answer is judged, and the connection goes to the address that was judged: a name
that changes its answer in between gains nothing. Only addresses of the public internet pass, and those of networks that
the operator allows. Redirects are judged like the first address. The request is HTTP/1.0, whose answers end with the
connection and come without further encodings.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import re
import socket
import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from cumulet.drivers.image_store.base import Refused, Unreachable
from cumulet.lib.numbers import whole_or_none

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 30.0
PIECE_SECONDS = 60.0
"""The longest silence between two pieces."""
MOST_REDIRECTS = 5
MOST_HEAD = 1 << 15
PIECE = 1 << 18

_PORTS = {"http": 80, "https": 443}
_INTERNET_IPV6 = ipaddress.IPv6Network("2000::/3")
_REDIRECTS = (301, 302, 303, 307, 308)
_STATUS = re.compile("[0-9]{3}")


@dataclass(frozen=True)
class Outside:
    """What may be read besides the public internet on the usual ports."""

    networks: tuple[str, ...] = ()
    ports: tuple[int, ...] = (80, 443)

    def allows(self, address: str) -> bool:
        found = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
            found = found.ipv4_mapped
        if any(found in network for network in self._networks(found.version)):
            return True
        if isinstance(found, ipaddress.IPv6Address) and not _is_given_out(found):
            return False
        return found.is_global and not found.is_multicast

    def _networks(self, version: int) -> Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        parsed = (ipaddress.ip_network(text) for text in self.networks)
        return (network for network in parsed if network.version == version)


def _is_given_out(address: ipaddress.IPv6Address) -> bool:
    """Is it of the part of IPv6 that the internet uses, and no address behind which lies any one of IPv4?

    What lies outside that part may be somebody's inside: site-local addresses, and those of translators such as NAT64.
    """
    return address in _INTERNET_IPV6 and not address.sixtofour and not address.teredo


@dataclass(frozen=True)
class Place:
    """A checked URL."""

    scheme: str
    host: str
    port: int
    target: str


def read_uri(uri: str, outside: Outside) -> Place:
    """The place that a URL names, as far as can be judged without asking anybody. Raises Refused."""
    refusal = Refused(
        f"Given URI {uri[:200]!r} does not pass filtering: use http or https, a public host, and one of the ports "
        f"{', '.join(map(str, outside.ports))}."
    )
    if len(uri) > 2048 or not uri.isascii() or not uri.isprintable() or " " in uri:
        raise refusal
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        raise refusal from None
    host = parts.hostname or ""
    if parts.scheme not in _PORTS or not host or parts.username is not None or parts.password is not None:
        raise refusal
    port = port or _PORTS[parts.scheme]
    if port not in outside.ports or host == "localhost" or host.endswith(".localhost"):
        raise refusal
    with contextlib.suppress(ValueError):  # it is a name: judged when it is resolved
        if not outside.allows(str(ipaddress.ip_address(host))):
            raise refusal
    return Place(parts.scheme, host, port, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


class WebStore:
    """Reads what lies on web servers. It keeps nothing: the bytes belong to whoever put them there."""

    name = "http"
    distant = True

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def check(self, url: str) -> None:
        """Raise `Refused` for an address that is not asked, as far as can be judged from its text."""
        read_uri(url, self._outside)

    async def size(self, url: str) -> int:
        """How many bytes lie there. Raises `Refused`, `Unreachable`."""
        async with _answer("HEAD", url, self._outside) as answer:
            if answer.length is None:
                raise Unreachable(f"{answer.place.host} does not tell how long {url[:200]} is.")
            return answer.length

    async def get(self, url: str, start: int = 0, length: int | None = None) -> AsyncGenerator[bytes, None]:
        """The bytes from `start` on, in pieces of a bounded size. Raises `Refused`, `Unreachable`."""
        span = f"bytes={start}-{'' if length is None else start + length - 1}" if start or length else ""
        async with _answer("GET", url, self._outside, span) as answer:
            pieces = answer.body()
            if answer.status != 206:  # the server knows no ranges, or was not asked for one
                pieces = _cut(pieces, start, length)
            async for piece in pieces:
                yield piece


async def _cut(pieces: AsyncIterator[bytes], start: int, length: int | None) -> AsyncIterator[bytes]:
    """The part of a stream that was asked for."""
    place = 0
    end = None if length is None else start + length
    async for piece in pieces:
        kept = piece[max(start - place, 0) : None if end is None else max(end - place, 0)]
        place += len(piece)
        if kept:
            yield kept
        if end is not None and place >= end:
            return


@dataclass(frozen=True)
class Answer:
    """The head of an answer, and where its body comes from."""

    place: Place
    status: int
    length: int | None
    """As the server tells it; None: it does not."""
    reader: asyncio.StreamReader

    async def body(self) -> AsyncIterator[bytes]:
        got = 0
        while True:
            async with asyncio.timeout(PIECE_SECONDS):
                piece = await self.reader.read(PIECE)
            if not piece:
                break
            got += len(piece)
            if self.length is not None and got > self.length:
                raise Unreachable(f"{self.place.host} announced {self.length} bytes and sends more.")
            yield piece
        if self.length is not None and self.length != got:
            raise Unreachable(f"{self.place.host} announced {self.length} bytes and sent {got}.")


@contextlib.asynccontextmanager
async def _answer(method: str, url: str, outside: Outside, span: str = "") -> AsyncIterator[Answer]:
    """The answer at the end of all redirects."""
    wanted = (200, 206) if span else (200,)
    for _ in range(MOST_REDIRECTS + 1):
        place = read_uri(url, outside)
        reader, writer = await _connect(place, outside)
        try:
            status, headers = await _ask(method, place, span, reader, writer)
            if status in _REDIRECTS and "location" in headers:
                url = urljoin(url, headers["location"])
                if place.scheme == "https" and not url.startswith("https:"):
                    raise Unreachable(f"{place.host} redirects from https to a less safe address.")
                continue
            if status not in wanted:
                raise Unreachable(f"{place.host} answered {status} instead of 200.")
            yield Answer(place, status, whole_or_none(headers.get("content-length", "")), reader)
            return
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise Unreachable(f"{place.host} cannot be read: {error or type(error).__name__}.") from error
        finally:
            writer.close()
    raise Unreachable(f"{url[:200]} redirects more than {MOST_REDIRECTS} times.")


async def _connect(place: Place, outside: Outside) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
            refused = [address for address in addresses if not outside.allows(address)]
            if refused or not addresses:
                raise Refused(f"Given host {place.host!r} does not pass filtering: {', '.join(refused)}.")
            secure = ssl.create_default_context() if place.scheme == "https" else None
            return await asyncio.open_connection(
                addresses[0],
                place.port,
                ssl=secure,
                server_hostname=place.host if secure else None,
                limit=MOST_HEAD,
            )
    except (OSError, UnicodeError, TimeoutError) as error:
        raise Unreachable(f"{place.host} cannot be reached: {error or 'no answer in time'}.") from error


async def _ask(
    method: str, place: Place, span: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> tuple[int, dict[str, str]]:
    host = f"[{place.host}]" if ":" in place.host else place.host
    named = host if place.port == _PORTS[place.scheme] else f"{host}:{place.port}"
    lines = [f"{method} {place.target} HTTP/1.0", f"Host: {named}", "User-Agent: cumulet", "Accept-Encoding: identity"]
    if span:
        lines.append(f"Range: {span}")
    async with asyncio.timeout(ANSWER_SECONDS):
        writer.write("\r\n".join([*lines, "", ""]).encode("ascii"))
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
    first, *rest = head.decode("ascii", "replace").split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not _STATUS.fullmatch(words[1]):
        raise Unreachable(f"{place.host} does not speak HTTP.")
    pairs = (line.partition(":") for line in rest if line)
    return int(words[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}
