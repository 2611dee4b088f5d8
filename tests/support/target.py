"""A cloud with one of most things in it, that stands still while it is asked; what each request writes is noticed."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

import msgspec

from cumulet.core.access.caller import Caller
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.db.backends.sqlite import SqliteBackend
from cumulet.core.web.service import FrontDoor
from cumulet.core.web.versions import text_of
from cumulet.drivers.image_store.memory import MemoryImageStore, Shelf
from cumulet.programs.cloud import Cloud
from cumulet.programs.settings import Settings
from cumulet.programs.simulate import SimulatedNode
from cumulet.services.identity.projects.row import ProjectRow
from cumulet.services.identity.users.row import UserRow
from tests.support.furniture import FURNITURE
from tests.support.personas import PERSONAS
from tests.support.personas import authenticate as by_name
from tests.support.virtual_time import VirtualClock, VirtualLoop

ROOMS = ("identity", "placement", "image", "network", "block_storage", "compute", "fleet")
PASSWORD = "correct horse"
LIMIT = 120.0
"""Virtual seconds that an answer may take."""
CPU_LIMIT = 5.0
"""Seconds of this process that an answer may cost."""
JSON = "application/json"

Ids = dict[str, list[str]]
Rows = dict[str, dict[tuple[Any, ...], int]]
"""By table, how often each row is there."""

COUNTERS = {"identity_users": {"failures", "failed_at"}}
"""Columns in which refusals are counted."""
HISTORIES = {"compute_instance_actions"}
"""Tables that tell what was tried."""


class Answer(NamedTuple):
    status: int
    body: bytes
    headers: dict[str, str]
    written: str
    """What it left in the database; empty: nothing."""
    cost: float
    """Seconds of this process."""


@dataclass
class State:
    """A database at one moment."""

    image: bytes
    rows: Rows
    changes: int


class Target:
    """The cloud, in a loop of its own whose time jumps."""

    def __init__(self, loop: VirtualLoop, place: Path) -> None:
        self._loop = loop
        self._place = place
        self._callers = dict(PERSONAS)
        self._known: Rows = {}

    def do(self, work: Any) -> Any:
        return self._loop.run_until_complete(work)

    async def build(self) -> None:
        clock, bus = VirtualClock(self._loop), MemoryBus()
        backend = SqliteBackend(":memory:")
        async with backend.reading() as session:
            self._raw: sqlite3.Connection = session.raw  # type: ignore[attr-defined]
        database = Database(backend, wake=bus.wake, clock=clock)
        await database.create_tables()
        config = Settings(
            state_dir=str(self._place), mode="simulate", admin_password=PASSWORD, identity={"scrypt_log_n": 2}
        )
        stores = {"memory": MemoryImageStore(Shelf())}
        self.cloud = Cloud(config, database, bus, clock, stores, authenticate=self._authenticate)  # type: ignore[arg-type]
        await self.cloud.seed()
        await self._people(database)
        self._node = SimulatedNode(self.cloud, "n1")
        async with self._life():
            await asyncio.sleep(5)
            await self._furnish()
            await asyncio.sleep(30)

    async def settle(self) -> None:
        """Let the cloud do what it was asked for."""
        async with self._life():
            await asyncio.sleep(30)

    @asynccontextmanager
    async def _life(self) -> AsyncIterator[None]:
        """While this lasts the cloud does not stand still."""
        running = [asyncio.ensure_future(loop.run()) for loop in self.cloud.loops]
        running.append(asyncio.ensure_future(self._node.agent.run()))
        try:
            yield
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)
            self._known = self._rows()

    async def _people(self, database: Database) -> None:
        """The personas are users who exist."""
        async with database.read() as tx:
            projects = {row.name: row.id for row in await tx.find(ProjectRow)}
            for persona, name in (("admin", "admin"), ("member", "demo")):
                user = await tx.get(UserRow, name=name)
                assert user is not None
                self._callers[persona] = Caller(
                    user_id=user.id,
                    user_name=name,
                    project_id=projects[name],
                    project_name=name,
                    project_domain_id="default",
                    roles=PERSONAS[persona].roles,
                    token_id=persona,
                )

    async def _authenticate(self, token: str, service_token: str = "") -> Caller:
        return self._callers.get(token) or await by_name(token)

    async def _furnish(self) -> None:
        """Make what `furniture` lists; each piece may name earlier ones."""
        made = {"project": self._callers["member"].project_id, "user": self._callers["member"].user_id}
        made |= {"admin": self._callers["admin"].user_id, "boss": self._callers["admin"].project_id}
        for room, path, names in (("image", "/v2/images", "images"), ("network", "/v2.0/networks", "networks")):
            listed = await self.ask(room, "GET", path, "admin")
            made |= {item["name"]: item["id"] for item in msgspec.json.decode(listed.body)[names]}
        image = next(made[name] for name in made if "cirros" in name or "tiny" in name)
        made["image"] = image
        roles = await self.ask("identity", "GET", "/v3/roles", "admin")
        made |= {f"role_{role['name']}": role["id"] for role in msgspec.json.decode(roles.body)["roles"]}
        for piece in FURNITURE:
            await asyncio.sleep(piece.after)
            door = self.cloud.services[piece.room]
            path = door.prefix + Template(piece.path).substitute(made)
            text = Template(msgspec.json.encode(piece.body).decode()).substitute(made) if piece.body else ""
            method = piece.method
            answer = await self.ask(piece.room, method, path, piece.persona, text.encode(), piece.version)
            assert answer.status < 300, (method, path, text, answer)
            if piece.name:
                content = msgspec.json.decode(answer.body)
                inner = content if "id" in content else next(iter(content.values()))
                inner = inner[0] if isinstance(inner, list) else inner
                made[piece.name] = str(inner.get("id") or inner.get("name"))

    async def ask(
        self, room: str, method: str, path: str, persona: str, body: bytes = b"", version: str = "", query: str = "",
        kind: str = JSON, headers: tuple[tuple[str, str], ...] = (),
    ) -> Answer:  # fmt: skip
        """One request, without sockets and without a client that would correct it."""
        door: FrontDoor = self.cloud.doors[room]
        sent = [(b"x-auth-token", persona.encode()), (b"host", b"cloud.test")]
        if body:
            sent += [(b"content-type", (kind or JSON).encode("latin-1", "replace"))]
            sent += [(b"content-length", str(len(body)).encode())]
        if version and door.dialect.service:
            sent.append((b"openstack-api-version", f"{door.dialect.service} {version}".encode()))
        sent += [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers]
        scope = {
            "type": "http", "method": method, "scheme": "http", "path": path, "raw_path": path.encode(),
            "query_string": query.encode(), "headers": sent,
        }  # fmt: skip
        came: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            came.append(message)

        changes, began = self._raw.total_changes, time.process_time()
        async with asyncio.timeout(LIMIT):
            await door(scope, receive, send)
        cost = time.process_time() - began
        written = ""
        if self._raw.total_changes != changes:
            rows = self._rows()
            written, self._known = difference(self._known, rows), rows
        content = b"".join(message.get("body", b"") for message in came[1:])
        told = {name.decode(): value.decode("latin-1") for name, value in came[0]["headers"]}
        return Answer(came[0]["status"], content, told, written, cost)

    # ---- the state ---------------------------------------------------------------------------------------------------

    def state(self) -> State:
        """The database as it is, to return to."""
        return State(self._raw.serialize(), self._rows(), self._raw.total_changes)

    def restore(self, state: State) -> None:
        if self._raw.total_changes != state.changes:
            self._raw.deserialize(state.image)
            self._known, state.changes = state.rows, self._raw.total_changes

    def close(self) -> None:
        self._raw.close()

    def _rows(self) -> Rows:
        tables = [name for (name,) in self._raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        return {name: self._rows_of(name) for name in tables if name not in HISTORIES}

    def _rows_of(self, table: str) -> dict[tuple[Any, ...], int]:
        columns = [column[1] for column in self._raw.execute(f"PRAGMA table_info({table})")]
        shown = ", ".join(f'"{name}"' for name in columns if name not in COUNTERS.get(table, ()))
        # That a counter is there and stands at nothing says no more than that it is not there.
        filled = " WHERE used != 0 OR allowed IS NOT NULL" if table == "quota_usages" else ""
        found: dict[tuple[Any, ...], int] = {}
        for row in self._raw.execute(f"SELECT {shown} FROM {table}{filled}"):
            found[row] = found.get(row, 0) + 1
        return found

    async def ids(self, room: str) -> Ids:
        """What stands in this room's lists, by the collection's path, with names in it as they are declared."""
        found: Ids = {}
        service, newest = self.cloud.services[room], self.cloud.doors[room].dialect.latest
        version = text_of(newest) if newest else ""
        lists = [e.path for e in service.endpoints() if e.method == "GET" and not e.path.endswith("}")]
        for path in sorted(set(lists), key=lambda path: path.count("{")):
            whole = addressed(path, found)
            for persona in ("member", "admin") if whole else ():
                answer = await self.ask(room, "GET", service.prefix + whole, persona, version=version)
                if answer.status == 200 and answer.body.startswith(b"{"):
                    for value in msgspec.json.decode(answer.body).values():
                        if isinstance(value, list):
                            new = [_id(item) for item in value[:3] if _id(item)]
                            found[path] = list(dict.fromkeys([*found.get(path, ()), *new]))
        return found


def addressed(path: str, ids: Ids) -> str:
    """A collection's path below the first thing of each kind; empty: there is none."""
    missing = False

    def one(match: re.Match[str]) -> str:
        nonlocal missing
        known = ids.get(path[: match.start()].rstrip("/"), [])
        missing = missing or not known
        return known[0] if known else ""

    whole = re.sub(r"\{[^}]*\}", one, path)
    return "" if missing else whole


def _id(item: Any) -> str:
    if isinstance(item, str):
        return item
    inner = item.get("keypair", item) if isinstance(item, dict) else {}
    return str(inner.get("id") or inner.get("uuid") or inner.get("namespace") or inner.get("name") or "")


def difference(before: Rows, after: Rows) -> str:
    """The rows that came and went, as far as one wants to read them."""
    found = []
    for table in sorted(before.keys() | after.keys()):
        old, new = before.get(table, {}), after.get(table, {})
        if old != new:
            found += [f"-{table}{row}"[:300] for row in old if new.get(row, 0) < old[row]]
            found += [f"+{table}{row}"[:300] for row in new if old.get(row, 0) < new[row]]
    return "; ".join(found[:6])


def problem(room: str, answer: Answer, method: str) -> str:
    """What is wrong with an answer, whatever was asked; empty: nothing."""
    if answer.status >= 500 and answer.status not in (501, 503):
        return f"{answer.status} {answer.body[:200]!r}"
    if answer.cost > CPU_LIMIT:
        return f"it cost {answer.cost:.1f} s"
    if answer.status >= 400:
        if method != "HEAD" and not in_form(room, answer):
            return f"not this service's form: {answer.status} {answer.body[:200]!r}"
        if answer.written:
            return f"refused with {answer.status}, and yet written: {answer.written}"
    return ""


def in_form(room: str, answer: Answer) -> bool:
    """Is a fault wrapped as this service wraps its faults?"""
    if room == "image":
        return b"<title>" in answer.body
    fault = msgspec.json.decode(answer.body)
    match room:
        case "placement":
            return bool(fault["errors"][0]["status"] == answer.status)
        case "network":
            return {"type", "message", "detail"} <= set(fault["NeutronError"])
        case "identity" | "fleet":
            if isinstance(fault["error"], str):
                return "error_description" in fault  # the form of OAuth 2.0
            return bool(fault["error"]["code"] == answer.status and fault["error"]["message"])
    (inner,) = fault.values()
    return bool(inner["code"] == answer.status and "message" in inner)
