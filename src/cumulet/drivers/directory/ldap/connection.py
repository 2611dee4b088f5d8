"""One conversation with an LDAP server: a question at a time, each within its limits."""

from __future__ import annotations

import asyncio
import math
import ssl
from collections.abc import Sequence
from dataclasses import dataclass, field

from cumulet.drivers.directory.base import DirectoryDown, Entry, Filter, Scope
from cumulet.drivers.directory.ldap import messages
from cumulet.drivers.directory.ldap.ber import SEQUENCE, Malformed
from cumulet.drivers.directory.ldap.messages import Message, Result

LARGEST = 16 << 20
"""Bytes of one answer."""
MOST_ENTRIES = 100_000


@dataclass(slots=True)
class Found:
    """What a search brought: entries, and the addresses where there is more."""

    entries: list[Entry] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)


class Connection:
    """An open connection. Raises DirectoryDown; after that it is of no further use."""

    def __init__(self, name: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, patience: float) -> None:
        self.name = name
        self.usable = True
        self.born = 0
        self._reader = reader
        self._writer = writer
        self._patience = patience
        self._number = 0

    @classmethod
    async def open(cls, host: str, port: int, tls: ssl.SSLContext | None, patience: float) -> Connection:
        """`patience`: seconds without a word after which a server counts as down."""
        name = f"{host}:{port}"
        try:
            async with asyncio.timeout(patience):
                streams = await asyncio.open_connection(host, port, ssl=tls, server_hostname=host if tls else None)
        except TimeoutError as error:
            raise DirectoryDown(f"the directory {name} did not answer within {patience:g} s") from error
        except OSError as error:  # also refused certificates
            raise DirectoryDown(f"the directory {name} cannot be reached: {error}") from error
        return cls(name, *streams, patience)

    async def start_tls(self, context: ssl.SSLContext) -> None:
        result, _ = await self._ask(messages.start_tls())
        if result.code != messages.SUCCESS:
            raise self._down(f"refuses to speak TLS: {result.text or result.code}")
        try:
            async with asyncio.timeout(self._patience):
                await self._writer.start_tls(context, server_hostname=self.name.rpartition(":")[0])
        except (TimeoutError, OSError) as error:
            raise self._down(f"cannot speak TLS: {error}") from error

    async def bind(self, dn: str, password: str) -> Result:
        result, _ = await self._ask(messages.bind(dn, password))
        return result

    async def search(
        self, base: str, scope: Scope, wanted: Filter, attributes: Sequence[str], *, aliases: int, page: int
    ) -> Found:
        """All pages. Where there is no such base, there is nothing."""
        found, cookie = Found(), b""
        question = messages.search(base, scope, wanted, attributes, aliases=aliases, seconds=math.ceil(self._patience))
        while True:
            result, cookie = await self._ask(question, messages.paged(page, cookie) if page else b"", found)
            if result.code == messages.REFERRAL:
                found.elsewhere += result.referrals
            elif result.code == messages.SIZE_LIMIT:
                raise self._down("has more entries than it gives at once: set ldap.page_size", usable=True)
            elif result.code not in (messages.SUCCESS, messages.NO_SUCH_OBJECT):
                raise self._down(f"refused a search ({result.code}): {result.text or 'no reason given'}", usable=True)
            if not (page and cookie):
                return found

    async def _ask(self, operation: bytes, controls: bytes = b"", found: Found | None = None) -> tuple[Result, bytes]:
        """Send a question and collect entries; how the answer ended, and the mark of the next page."""
        self._number += 1
        try:
            self._writer.write(messages.message(self._number, operation, controls))
            await self._writer.drain()
            while True:
                answer = await self._next()
                if answer.number == 0:
                    raise self._down("ended the conversation")
                if answer.number != self._number:
                    continue
                if answer.kind == messages.ENTRY and found is not None:
                    found.entries.append(messages.read_entry(answer.body))
                    if len(found.entries) > MOST_ENTRIES:
                        raise self._down(f"has more than {MOST_ENTRIES} entries: narrow ldap.user_filter")
                elif answer.kind == messages.REFERENCE and found is not None:
                    found.elsewhere += messages.read_reference(answer.body)
                elif answer.kind in (messages.BIND_DONE, messages.SEARCH_DONE, messages.EXTENDED_DONE):
                    return messages.read_result(answer.body), answer.cookie
        except TimeoutError as error:
            raise self._down(f"was silent for {self._patience:g} s") from error
        except (OSError, asyncio.IncompleteReadError) as error:
            raise self._down(f"broke off: {error}") from error
        except Malformed as error:
            raise self._down(f"does not speak LDAP: {error}") from error
        except asyncio.CancelledError:
            self.close()  # an answer is still under way: nobody else may take it for his
            raise

    async def _next(self) -> Message:
        async with asyncio.timeout(self._patience):
            tag, size = await self._reader.readexactly(2)
            if tag != SEQUENCE or (size & 0x80 and size & 0x7F > 4):
                raise Malformed(f"a message that begins with {tag:#x}")
            if size & 0x80:
                size = int.from_bytes(await self._reader.readexactly(size & 0x7F), "big")
            if size > LARGEST:
                raise Malformed(f"a message of {size} bytes")
            return messages.read_message(await self._reader.readexactly(size))

    def _down(self, why: str, *, usable: bool = False) -> DirectoryDown:
        if not usable:
            self.close()
        return DirectoryDown(f"the directory {self.name} {why}")

    def close(self) -> None:
        """Say goodbye without waiting for an answer: there is none."""
        if self.usable:
            self.usable = False
            if not self._writer.is_closing():
                self._writer.write(messages.message(self._number + 1, messages.unbind()))
            self._writer.close()
