"""A directory behind LDAP: its servers in turn, connections that are kept, and no patience with the dead."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from cumulet.drivers.directory.base import DirectoryDown, Entry, Filter, Scope
from cumulet.drivers.directory.ldap import messages
from cumulet.drivers.directory.ldap.connection import Connection, Found
from cumulet.lib.clock import SECOND, Clock

T = TypeVar("T")
PORTS = {"ldap": 389, "ldaps": 636}
WHOLE = 30.0
"""Seconds for a question with all its pages."""
PATIENCE = 5.0
"""Seconds to wait for a word."""
REST = 5
"""Seconds for which a directory that is down is not tried again: who asks meanwhile is told at once."""
MOST_REFERRALS = 8
UNKEPT = 10
"""Connections at a time where none are kept."""


class BadAddress(ValueError):
    """The text is not the address of an LDAP server."""


@dataclass(frozen=True, slots=True)
class Address:
    host: str
    port: int
    tls: bool
    base: str = ""
    scope: str = ""

    @classmethod
    def parse(cls, text: str) -> Address:
        """From `ldap://host:port` or `ldaps://…`; what refers elsewhere adds `/base??scope`. Raises BadAddress."""
        try:
            parts = urlsplit(text.strip())
            port = parts.port
        except ValueError as error:
            raise BadAddress(f"{text[:80]!r}: {error}") from error
        if parts.scheme not in PORTS or not parts.hostname:
            raise BadAddress(f"{text[:80]!r} is not an address like ldap://host or ldaps://host:636")
        base, (_, scope, *_) = unquote(parts.path.lstrip("/")), [*parts.query.split("?"), ""]
        return cls(parts.hostname, port or PORTS[parts.scheme], parts.scheme == "ldaps", base, scope)


@dataclass(frozen=True, kw_only=True)
class Ldap:
    """How to reach a directory, and as whom."""

    addresses: tuple[Address, ...]
    """Tried in this order."""
    dn: str = ""
    """Who asks; empty: nobody in particular."""
    password: str = ""
    start_tls: bool = False
    ca_file: str | None = None
    ca_folder: str | None = None
    verify: bool = True
    patience: float = PATIENCE
    page: int = 0
    aliases: int = 0
    chase: bool = False
    """Follow referrals to other servers, there as nobody in particular."""
    kept: int = 10
    """Connections for searches that are kept open, and how many there are at all."""
    kept_seconds: int = 600
    kept_logins: int = 100
    kept_logins_seconds: int = 60


class Kept:
    """Connections that wait for their next use, the most recent first; and how many may be in use at a time."""

    def __init__(self, most: int, seconds: int, clock: Clock) -> None:
        self._free: list[Connection] = []
        self._most = most
        self._life = seconds * SECOND
        self._clock = clock
        self._places = asyncio.Semaphore(most or UNKEPT)

    @asynccontextmanager
    async def use(self, make: Callable[[], Awaitable[Connection]]) -> AsyncIterator[Connection]:
        """A connection of one's own; afterwards it is kept, unless it is broken or old."""
        async with self._places:
            connection = self._take() or await make()
            connection.born = connection.born or self._clock.now()
            try:
                yield connection
            finally:
                if self._is_fresh(connection) and len(self._free) < self._most:
                    self._free.append(connection)
                else:
                    connection.close()

    def _take(self) -> Connection | None:
        while self._free:
            connection = self._free.pop()
            if self._is_fresh(connection):
                return connection
            connection.close()
        return None

    def _is_fresh(self, connection: Connection) -> bool:
        return connection.usable and self._clock.now() - connection.born < self._life

    def close(self) -> None:
        while self._free:
            self._free.pop().close()


class LdapDirectory:
    """Fulfils `Directory`."""

    def __init__(self, ldap: Ldap, clock: Clock) -> None:
        self._ldap = ldap
        self._clock = clock
        self._searching = Kept(ldap.kept, ldap.kept_seconds, clock)
        self._logins = Kept(ldap.kept_logins, ldap.kept_logins_seconds, clock)
        self._down_until = 0
        self._why = ""

    async def search(self, base: str, scope: Scope, wanted: Filter, attributes: Sequence[str]) -> list[Entry]:
        async def ask(connection: Connection) -> Found:
            ldap = self._ldap
            return await connection.search(base, scope, wanted, attributes, aliases=ldap.aliases, page=ldap.page)

        async def whole() -> list[Entry]:
            found = await self._twice(self._searching, self._enter, ask)
            if self._ldap.chase:
                for text in found.elsewhere[:MOST_REFERRALS]:
                    found.entries += await self._continue(text, scope, wanted, attributes)
            return found.entries

        return await self._limited(whole())

    async def accepts(self, dn: str, password: str) -> bool:
        # A bind without a password is a greeting that every server accepts, and proves nothing.
        if not dn or not password:
            return False

        async def ask(connection: Connection) -> bool:
            result = await connection.bind(dn, password)
            if result.code != messages.SUCCESS and result.code not in messages.REFUSALS:
                raise DirectoryDown(f"the directory {connection.name} could not check a password: {result.text}")
            return result.code == messages.SUCCESS

        return await self._limited(self._twice(self._logins, self._open, ask))

    async def close(self) -> None:
        self._searching.close()
        self._logins.close()

    # ---- limits -----------------------------------------------------------------------------------------------------

    async def _limited(self, work: Awaitable[T]) -> T:
        try:
            async with asyncio.timeout(WHOLE):
                return await work
        except TimeoutError as error:
            raise DirectoryDown(f"the directory {self._names} needed more than {WHOLE:g} s") from error

    async def _twice(
        self, kept: Kept, make: Callable[[], Awaitable[Connection]], ask: Callable[[Connection], Awaitable[T]]
    ) -> T:
        """Ask; once more if the connection had been kept and turns out to be dead."""
        async with kept.use(make) as connection:
            was_kept = connection.born < self._clock.now()
            try:
                return await ask(connection)
            except DirectoryDown:
                if connection.usable or not was_kept:
                    raise
        kept.close()
        async with kept.use(make) as connection:
            return await ask(connection)

    # ---- connections ------------------------------------------------------------------------------------------------

    async def _enter(self) -> Connection:
        """A connection that asks as the domain's own entry."""
        connection = await self._open()
        if self._ldap.dn:
            result = await connection.bind(self._ldap.dn, self._ldap.password)
            if result.code != messages.SUCCESS:
                connection.close()
                raise DirectoryDown(
                    f"the directory {connection.name} does not let in {self._ldap.dn}: {result.text or result.code}. "
                    "Check ldap.user and ldap.password"
                )
        return connection

    async def _open(self) -> Connection:
        """A connection to the first server that answers."""
        if self._clock.now() < self._down_until:
            raise DirectoryDown(self._why)
        problems = []
        for address in self._ldap.addresses:
            try:
                return await self._connect(address)
            except DirectoryDown as error:
                problems.append(str(error))
        self._why = "; ".join(problems)
        self._down_until = self._clock.now() + REST * SECOND
        raise DirectoryDown(self._why)

    async def _connect(self, address: Address) -> Connection:
        tls = self._context() if address.tls or self._ldap.start_tls else None
        at_once = tls if address.tls else None
        connection = await Connection.open(address.host, address.port, at_once, self._ldap.patience)
        if tls and not address.tls:
            try:
                await connection.start_tls(tls)
            except BaseException:
                connection.close()
                raise
        return connection

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self._ldap.ca_file, capath=self._ldap.ca_folder)
        except (OSError, ssl.SSLError) as error:
            raise DirectoryDown("the certificates of ldap.tls_cacertfile or tls_cacertdir cannot be read") from error
        if not self._ldap.verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context

    async def _continue(self, text: str, scope: Scope, wanted: Filter, attributes: Sequence[str]) -> list[Entry]:
        """What another server, to which this one refers, has to add."""
        try:
            address = Address.parse(text)
            scope = Scope[address.scope.upper()] if address.scope else scope
        except (BadAddress, KeyError):
            return []
        connection = await self._connect(address)
        try:
            return (
                await connection.search(
                    address.base, scope, wanted, attributes, aliases=self._ldap.aliases, page=self._ldap.page
                )
            ).entries
        finally:
            connection.close()

    @property
    def _names(self) -> str:
        return ", ".join(f"{address.host}:{address.port}" for address in self._ldap.addresses)
