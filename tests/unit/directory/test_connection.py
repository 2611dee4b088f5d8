"""What an LDAP server may say that it should not, and what becomes of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from cumulet.drivers.directory.base import DirectoryDown, Scope
from cumulet.drivers.directory.ldap.ber import ENUMERATED, SEQUENCE, integer, octets, tlv
from cumulet.drivers.directory.ldap.connection import LARGEST
from cumulet.drivers.directory.ldap.directory import Address, Ldap, LdapDirectory
from cumulet.drivers.directory.ldap.filters import present
from cumulet.drivers.directory.ldap.messages import BIND_DONE, ENTRY, SEARCH_DONE
from tests.support.clock import JumpingClock


def result(kind: int, code: int = 0, text: str = "") -> bytes:
    return tlv(kind, integer(code, ENUMERATED), octets(""), octets(text))


def said(number: int, body: bytes) -> bytes:
    return tlv(SEQUENCE, integer(number), body)


@asynccontextmanager
async def saying(*answers: bytes, patience: float = 0.3) -> AsyncIterator[LdapDirectory]:
    """A directory whose server answers each connection's first questions so, and then ends it."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for answer in answers:
            if not await reader.read(65536):
                break
            writer.write(answer)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        ldap = Ldap(addresses=(Address(host, port, tls=False),), patience=patience)
        directory = LdapDirectory(ldap, JumpingClock())
        yield directory
        await directory.close()


async def names(directory: LdapDirectory) -> Sequence[str]:
    return [entry.dn for entry in await directory.search("dc=x", Scope.SUB, present("cn"), ["cn"])]


def entry(number: int, dn: str) -> bytes:
    return said(number, tlv(ENTRY, octets(dn), tlv(SEQUENCE)))


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (b"", "broke off"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak LDAP"),
        (b"\x30\x84" + (LARGEST + 1).to_bytes(4, "big"), "does not speak LDAP"),
        (b"\x30\x88" + b"\xff" * 8, "does not speak LDAP"),
        (b"\x30\x05\x02\x01\x01\x65\x7f", "does not speak LDAP"),
        (said(1, tlv(SEARCH_DONE)), "does not speak LDAP"),
        (said(0, result(0x78, 52, "going down")), "ended the conversation"),
        (said(1, result(SEARCH_DONE, 1, "out of order")), "out of order"),
        (said(1, result(SEARCH_DONE, 4)), "ldap.page_size"),
        (entry(1, "cn=a,dc=x"), "broke off"),
    ],
)
async def test_what_no_server_should_say(answer: bytes, why: str) -> None:
    async with saying(answer) as directory:
        with pytest.raises(DirectoryDown, match=why):
            await names(directory)


async def test_an_answer_to_another_question_is_not_ours() -> None:
    late = entry(7, "cn=late,dc=x") + said(7, result(SEARCH_DONE))
    async with saying(late + entry(1, "cn=a,dc=x") + said(1, result(SEARCH_DONE))) as directory:
        assert await names(directory) == ["cn=a,dc=x"]


async def test_a_connection_that_died_while_it_was_kept_is_made_anew() -> None:
    async with saying(entry(1, "cn=a,dc=x") + said(1, result(SEARCH_DONE))) as directory:
        assert await names(directory) == ["cn=a,dc=x"]
        assert await names(directory) == ["cn=a,dc=x"]


async def test_only_a_clear_yes_is_a_password() -> None:
    for code, right in ((0, True), (49, False), (53, False), (32, None), (51, None)):
        async with saying(said(1, result(BIND_DONE, code))) as directory:
            if right is None:
                with pytest.raises(DirectoryDown):
                    await directory.accepts("cn=a,dc=x", "secret")
            else:
                assert await directory.accepts("cn=a,dc=x", "secret") is right
    async with saying(said(1, result(BIND_DONE))) as directory:
        assert not await directory.accepts("cn=a,dc=x", "")
        assert not await directory.accepts("", "secret")


async def test_the_dead_are_left_alone_for_a_moment() -> None:
    clock = JumpingClock()
    asked: list[int] = []

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(1)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    directory = LdapDirectory(Ldap(addresses=(Address(host, port, tls=False),), patience=1), clock)
    server.close()
    await server.wait_closed()
    for _ in range(3):
        with pytest.raises(DirectoryDown, match="cannot be reached"):
            await names(directory)
    again = await asyncio.start_server(serve, host, port)
    async with again:
        with pytest.raises(DirectoryDown, match="cannot be reached"):
            await names(directory)
        assert not asked
        clock.jump(6)
        with pytest.raises(DirectoryDown, match="broke off"):
            await names(directory)
        assert asked
