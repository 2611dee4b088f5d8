"""Fetching an image from a web server that a client named, without lending him our place in the network.

The address is resolved here, every answer is judged, and the connection goes to the address that was judged: a name
that changes its answer in between gains nothing. Only addresses of the public internet pass, and those of networks that
the operator allows. Redirects are judged like the first address. The request is HTTP/1.0, whose answers end with the
connection and come without further encodings.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from cumulet.services.image.errors import DownloadFailed, InvalidImport

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 30.0
PIECE_SECONDS = 60.0
"""The longest silence between two pieces."""
MOST_REDIRECTS = 5
MOST_HEAD = 1 << 15
PIECE = 1 << 18

_PORTS = {"http": 80, "https": 443}
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Outside:
    """What imports may reach besides the public internet on the usual ports."""

    networks: tuple[str, ...] = ()
    ports: tuple[int, ...] = (80, 443)

    def allows(self, address: str) -> bool:
        found = ipaddress.ip_address(address.partition("%")[0])
        if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped:
            found = found.ipv4_mapped
        if any(found in network for network in self._networks(found.version)):
            return True
        return found.is_global and not found.is_multicast and not _carries_ipv4(found)

    def _networks(self, version: int) -> Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]:
        parsed = (ipaddress.ip_network(text) for text in self.networks)
        return (network for network in parsed if network.version == version)


def _carries_ipv4(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Addresses behind which a gateway may reach any IPv4 address, such as those of NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return False
    return bool(address.sixtofour or address.teredo or address in ipaddress.ip_network("64:ff9b::/96"))


@dataclass(frozen=True)
class Place:
    """A checked URL."""

    scheme: str
    host: str
    port: int
    target: str


def read_uri(uri: str, outside: Outside) -> Place:
    """The place that a URL names, as far as can be judged without asking anybody. Raises InvalidImport."""
    refusal = InvalidImport(
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


async def fetch(uri: str, outside: Outside) -> AsyncIterator[bytes]:
    """The bytes at a URL. Raises InvalidImport, DownloadFailed."""
    for _ in range(MOST_REDIRECTS + 1):
        place = read_uri(uri, outside)
        reader, writer = await _connect(place, outside)
        try:
            status, headers = await _ask(place, reader, writer)
            if status in _REDIRECTS and "location" in headers:
                uri = urljoin(uri, headers["location"])
                if place.scheme == "https" and not uri.startswith("https:"):
                    raise DownloadFailed(f"{place.host} redirects from https to a less safe address.")
                continue
            if status != 200:
                raise DownloadFailed(f"{place.host} answered {status} instead of 200.")
            async for piece in _body(place, reader, headers.get("content-length", "")):
                yield piece
            return
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise DownloadFailed(f"{place.host} cannot be read: {error or type(error).__name__}.") from error
        finally:
            writer.close()
    raise DownloadFailed(f"{uri[:200]} redirects more than {MOST_REDIRECTS} times.")


async def _connect(place: Place, outside: Outside) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            found = await loop.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
            addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
            refused = [address for address in addresses if not outside.allows(address)]
            if refused or not addresses:
                raise InvalidImport(f"Given host {place.host!r} does not pass filtering: {', '.join(refused)}.")
            secure = ssl.create_default_context() if place.scheme == "https" else None
            return await asyncio.open_connection(
                addresses[0],
                place.port,
                ssl=secure,
                server_hostname=place.host if secure else None,
                limit=MOST_HEAD,
            )
    except (OSError, UnicodeError, TimeoutError) as error:
        raise DownloadFailed(f"{place.host} cannot be reached: {error or 'no answer in time'}.") from error


async def _ask(place: Place, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[int, dict[str, str]]:
    host = f"[{place.host}]" if ":" in place.host else place.host
    named = host if place.port == _PORTS[place.scheme] else f"{host}:{place.port}"
    request = (
        f"GET {place.target} HTTP/1.0\r\nHost: {named}\r\nUser-Agent: cumulet\r\nAccept-Encoding: identity\r\n\r\n"
    )
    async with asyncio.timeout(ANSWER_SECONDS):
        writer.write(request.encode("ascii"))
        await writer.drain()
        head = await reader.readuntil(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    words = first.split(" ", 2)
    if len(words) < 2 or not words[0].startswith("HTTP/") or not words[1].isdigit():
        raise DownloadFailed(f"{place.host} does not speak HTTP.")
    pairs = (line.partition(":") for line in lines if line)
    return int(words[1]), {name.strip().lower(): value.strip() for name, _, value in pairs}


async def _body(place: Place, reader: asyncio.StreamReader, length: str) -> AsyncIterator[bytes]:
    got = 0
    while True:
        async with asyncio.timeout(PIECE_SECONDS):
            piece = await reader.read(PIECE)
        if not piece:
            break
        got += len(piece)
        yield piece
    if length.isdigit() and int(length) != got:
        raise DownloadFailed(f"{place.host} announced {length} bytes and sent {got}.")
