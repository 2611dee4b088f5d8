"""Nodes: who is there, how they joined, whether they are alive."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Collection
from functools import cache, lru_cache
from typing import Annotated

import msgspec
import sqlalchemy as sa

from cumulet.contracts.assignments import NodeFacts
from cumulet.core.db import PRIMARY, Duplicate, Instant, Json, Name, Query, Row, Short, Transaction, stored
from cumulet.core.errors import BadRequest
from cumulet.lib.clock import SECOND
from cumulet.services.fleet.errors import JoinRefused, NodeNotFound, NodeTaken, NodeUnknown
from cumulet.services.fleet.room import ALIVE, Fleet

JOIN_SECONDS = 24 * 3600
_ONLY_LOCAL = ("unix:", "local:")
"""Addresses by which the API reaches into its own host: a stranger's would lead it to other sockets of that host."""


@stored("fleet_nodes")
class NodeRow(Row):
    """A host that runs the node agent."""

    name: Annotated[str, sa.String(255), PRIMARY]
    secret_digest: Short
    facts: Json
    joined_at: Instant
    last_seen: Instant
    zone: Name
    disabled: bool = False
    disabled_reason: Name = ""
    forced_down: bool = False
    number: int = 0
    """The number of the newest order to this node."""
    local: bool = False
    """It runs beside the API and may be asked by ways that exist on that host only; a node that joined may not."""


@stored("fleet_join_tokens")
class JoinTokenRow(Row):
    """A token that lets one node join, once."""

    digest: Annotated[str, sa.String(64), PRIMARY]
    expires_at: Instant


_FORGET_OLD_TOKENS = Query(
    sa.delete(JoinTokenRow.table).where(JoinTokenRow.c.expires_at < sa.bindparam("now", type_=sa.BigInteger))
)


class NodeView(msgspec.Struct):
    """A node as other rooms see it."""

    name: str
    alive: bool
    disabled: bool
    zone: str
    facts: NodeFacts
    last_seen: int
    joined_at: int = 0
    disabled_reason: str = ""
    forced_down: bool = False
    local: bool = False


def digest_of_secret(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


async def issue_join_token(room: Fleet) -> str:
    """A new token for `cumulet node --join`; only its digest is kept."""
    token, now = secrets.token_urlsafe(24), room.clock.now()
    row = JoinTokenRow(digest_of_secret(token), now + JOIN_SECONDS * SECOND)

    async def write(tx: Transaction) -> None:
        await tx.execute(_FORGET_OLD_TOKENS, {"now": now})
        await tx.insert(row)

    await room.database.write(write)
    return token


async def join(room: Fleet, token: str, facts: NodeFacts) -> str:
    """Admit a node by its token; the secret it will show from now on."""
    _check_address(facts)
    secret = secrets.token_urlsafe(32)

    async def write(tx: Transaction) -> None:
        digest = digest_of_secret(token)
        known = await tx.get(JoinTokenRow, digest=digest)
        if known is None or known.expires_at < room.clock.now() or not await tx.delete(JoinTokenRow, digest=digest):
            raise JoinRefused("This token is unknown, used or too old. Issue another with 'cumulet node-token'.")
        await tx.insert(_fresh(room, facts, secret, local=False))

    try:
        await room.database.write(write)
    except Duplicate as taken:
        raise NodeTaken(f"A node named {facts.name!r} exists. Choose another name with --name.") from taken
    return secret


async def admit(room: Fleet, facts: NodeFacts, secret: str) -> None:
    """Make sure that a node with this secret exists: the laptop's own, whose secret both processes read from a file."""

    async def write(tx: Transaction) -> None:
        digest = digest_of_secret(secret)
        if not await tx.update(NodeRow, {"name": facts.name}, secret_digest=digest, local=True):
            await tx.insert(_fresh(room, facts, secret, local=True))

    await room.database.write(write)


def _fresh(room: Fleet, facts: NodeFacts, secret: str, *, local: bool) -> NodeRow:
    now = room.clock.now()
    text = msgspec.json.encode(facts).decode()
    return NodeRow(facts.name, digest_of_secret(secret), text, now, 0, facts.zone or "nova", local=local)


def _check_address(facts: NodeFacts) -> None:
    if facts.address.startswith(_ONLY_LOCAL):
        raise BadRequest(
            f"address: {facts.address[:64]!r} exists on the API's own host only. "
            "Give host:port, where the cloud can ask this node, with --address."
        )


async def authenticate(room: Fleet, name: str, secret: str) -> NodeRow:
    """The node of this name, if the secret is its own."""
    async with room.database.read() as tx:
        row = await tx.get(NodeRow, name=name)
    if row is None or not secret or not hmac.compare_digest(row.secret_digest, digest_of_secret(secret)):
        raise NodeUnknown("The node's secret was not recognised. Let it join again.")
    return row


async def note_heartbeat(room: Fleet, row: NodeRow, facts: NodeFacts) -> None:
    """Record that a node is alive, and what it says of itself."""
    if not row.local:
        _check_address(facts)
    text = msgspec.json.encode(facts).decode()
    news = text != row.facts or row.last_seen < room.clock.now() - ALIVE

    async def write(tx: Transaction) -> None:
        await tx.update(NodeRow, {"name": row.name}, facts=text, last_seen=room.clock.now())
        if news:
            tx.wake("node", row.name)

    await room.database.write(write)


async def set_disabled(room: Fleet, name: str, disabled: bool, reason: str = "") -> None:
    """Keep new servers off a node, or let them on again."""
    await _change(room, name, disabled=disabled, disabled_reason=reason)


async def set_forced_down(room: Fleet, name: str, forced_down: bool) -> None:
    """Treat a node as dead, whatever it says: an operator knows that it is fenced."""
    await _change(room, name, forced_down=forced_down)


async def set_zone(room: Fleet, name: str, zone: str) -> None:
    await _change(room, name, zone=zone)


async def _change(room: Fleet, name: str, **values: object) -> None:
    async def write(tx: Transaction) -> None:
        if not await tx.update(NodeRow, {"name": name}, **values):
            raise NodeNotFound(f"Node {name[:64]} could not be found.")
        tx.wake("node", name)

    await room.database.write(write)


@lru_cache(maxsize=4096)
def _facts_in(text: str) -> NodeFacts:
    """Nodes say the same thing for days, and each placing of a server reads what all of them said."""
    return msgspec.json.decode(text, type=NodeFacts)


def view_of(room: Fleet, row: NodeRow) -> NodeView:
    facts = _facts_in(row.facts)
    alive = not row.forced_down and row.last_seen > room.clock.now() - ALIVE
    return NodeView(
        row.name,
        alive,
        row.disabled,
        row.zone,
        facts,
        row.last_seen,
        row.joined_at,
        row.disabled_reason,
        row.forced_down,
        row.local,
    )


async def known(room: Fleet, names: Collection[str]) -> set[str]:
    """Those of these names that are names of nodes."""
    wanted, found = sorted(names), set[str]()
    async with room.database.read() as tx:
        for start in range(0, len(wanted), 500):
            found |= {name for (name,) in await tx.tuples(_names_query(), {"names": wanted[start : start + 500]})}
    return found


@cache
def _names_query() -> Query:
    c = NodeRow.c
    return Query(sa.select(c.name).where(c.name.in_(sa.bindparam("names", expanding=True))))


async def nodes(room: Fleet) -> list[NodeView]:
    async with room.database.read() as tx:
        return [view_of(room, row) for row in await tx.find(NodeRow, order_by="name")]
