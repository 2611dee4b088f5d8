"""Whatever is sent to whatever endpoint, the answer is no fault of the server's own, and a refusal changes nothing."""

from __future__ import annotations

import asyncio
import random
import re
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.db.connect import connect
from cumulet.core.db.engine import Backend, Connection
from cumulet.core.web.body import Body
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.service import FrontDoor
from cumulet.core.web.versions import text_of
from cumulet.drivers.image_store.memory import MemoryImageStore, Shelf
from cumulet.programs.cloud import Cloud
from cumulet.programs.settings import Settings
from cumulet.programs.simulate import SimulatedNode
from cumulet.services.network.service import NOUNS
from tests.support.hostile import IDS, NASTY, QUERIES, RAW, bodies
from tests.support.personas import authenticate
from tests.support.virtual_time import VirtualClock, VirtualLoop

ROOMS = ("identity", "placement", "image", "network", "block_storage", "compute", "fleet")
LIMIT = 120.0
"""Virtual seconds that an answer may take."""
PER_ENDPOINT = 40
"""Requests of each kind to one endpoint; which ones is decided by a fixed seed."""
NOTED_BY_REFUSALS = ("identity_", "quota_usages", "compute_instance_actions")
"""Wrong passwords are counted, a counter stands before it is asked, and a server's history tells what was tried."""
_TABLE = re.compile(r"(INSERT(?: OR \w+)? INTO|DELETE FROM) \"?(\w+)")


KINDS = (
    "application/json",
    "application/octet-stream",
    "application/openstack-images-v2.1-json-patch",
    "application/x-www-form-urlencoded",
    "\xff;;=",
)
WORDS = (
    "routes", "subnet_id", "port_id", "allowed_address_pairs", "prefixes", "addresses", "tags", "network_id", "name",
    "method", "external_gateways", "external_gateway_info", "properties", "grant_type", "networks",
)  # fmt: skip
"""Keys that endpoints without a declared body look for."""
PATCHED = (
    "/name",
    "/visibility",
    "/tags",
    "/tags/-",
    "/locations",
    "/id",
    "/x",
    "/x/y",
    "",
    "x",
    "/~2",
    "/\ud7ff",
    "/" + "x" * 300,
)


class Answer(NamedTuple):
    status: int
    body: bytes
    written: dict[str, int]
    """How many rows more or less each table has."""


class Ledger:
    """A database session that remembers which rows were made and removed for good."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self.dialect = backend.dialect
        self.written: Counter[str] = Counter()

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Connection]:
        async with self._backend.reading() as connection:
            yield connection

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Connection]:
        async with self._backend.writing() as connection:
            noting = _Noting(connection)
            yield noting
        self.written.update(noting.made)

    async def close(self) -> None:
        await self._backend.close()


class _Noting:
    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.made: Counter[str] = Counter()

    async def fetch(self, text: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        rows = await self._connection.fetch(text, values)
        self._note(text, len(rows))
        return rows

    async def execute(self, text: str, values: Sequence[Any]) -> int:
        count = await self._connection.execute(text, values)
        self._note(text, count)
        return count

    async def execute_many(self, text: str, rows: Sequence[Sequence[Any]]) -> None:
        await self._connection.execute_many(text, rows)
        self._note(text, len(rows))

    def _note(self, text: str, count: int) -> None:
        found = _TABLE.match(text.lstrip())
        if found:
            self.made[found[2]] += count if found[1] != "DELETE FROM" else -count


class Target:
    """A cloud with one of most things in it, that stands still while it is asked."""

    def __init__(self, loop: VirtualLoop, place: Path) -> None:
        self._loop = loop
        self._place = place

    def do(self, work: Any) -> Any:
        return self._loop.run_until_complete(work)

    async def build(self) -> None:
        clock, bus = VirtualClock(self._loop), MemoryBus()
        self.ledger = Ledger(await connect("sqlite://"))
        database = Database(self.ledger, wake=bus.wake, clock=clock)
        await database.create_tables()
        config = Settings(state_dir=str(self._place), mode="simulate", admin_password="not-asked-for")
        stores = {"memory": MemoryImageStore(Shelf())}
        self.cloud = Cloud(config, database, bus, clock, stores, authenticate=authenticate)  # type: ignore[arg-type]
        await self.cloud.seed()
        running = [asyncio.ensure_future(loop.run()) for loop in self.cloud.loops]
        running.append(asyncio.ensure_future(SimulatedNode(self.cloud, "n1").agent.run()))
        await asyncio.sleep(5)
        await self._furnish()
        await asyncio.sleep(30)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)

    async def _furnish(self) -> None:
        async def make(room: str, path: str, body: Any, persona: str = "member") -> Any:
            answer = await self.ask(
                room, "POST", self.cloud.services[room].prefix + path, persona, msgspec.json.encode(body)
            )
            assert answer.status in (200, 201, 202), (path, answer)
            return next(iter(msgspec.json.decode(answer.body).values()))

        network = (await make("network", "/networks", {"network": {"name": "blue"}}))["id"]
        await make("network", "/subnets", {"subnet": {"network_id": network, "cidr": "10.0.0.0/24", "ip_version": 4}})
        await make("network", "/routers", {"router": {"name": "r"}})
        await make("network", "/ports", {"port": {"network_id": network}})
        volume = (await make("block_storage", "/volumes", {"volume": {"size": 1}}))["id"]
        await make("compute", "/os-keypairs", {"keypair": {"name": "k"}})
        await asyncio.sleep(15)
        await make("block_storage", "/snapshots", {"snapshot": {"volume_id": volume}})
        images = await self.ask("image", "GET", "/v2/images", "member", b"")
        image = msgspec.json.decode(images.body)["images"][0]["id"]
        server = {"name": "s", "imageRef": image, "flavorRef": "42", "networks": [{"uuid": network}]}
        await make("compute", "/servers", {"server": server})

    async def ask(
        self, room: str, method: str, path: str, persona: str, body: bytes, version: str = "", query: str = "",
        kind: str = "application/json",
    ) -> Answer:  # fmt: skip
        """One request, without sockets and without a client that would correct it."""
        door: FrontDoor = self.cloud.doors[room]
        headers = [(b"x-auth-token", persona.encode()), (b"host", b"cloud.test")]
        if body:
            headers += [(b"content-type", (kind or KINDS[0]).encode()), (b"content-length", str(len(body)).encode())]
        if version and door.dialect.service:
            headers.append((b"openstack-api-version", f"{door.dialect.service} {version}".encode()))
        raw = path.encode()
        scope = {
            "type": "http", "method": method, "scheme": "http", "path": path, "raw_path": raw,
            "query_string": query.encode(), "headers": headers,
        }  # fmt: skip
        sent: list[Any] = []
        self.ledger.written.clear()

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Any) -> None:
            sent.append(message)

        async with asyncio.timeout(LIMIT):
            await door(scope, receive, send)
        content = b"".join(message.get("body", b"") for message in sent[1:])
        return Answer(sent[0]["status"], content, dict(self.ledger.written))

    async def ids(self, room: str) -> dict[str, list[str]]:
        """What stands in this room's lists, by the collection's path."""
        found: dict[str, list[str]] = {}
        for endpoint in self.cloud.services[room].endpoints():
            if endpoint.method == "GET" and "{" not in endpoint.path:
                for persona in ("member", "admin"):
                    answer = await self.ask(room, "GET", self.cloud.services[room].prefix + endpoint.path, persona, b"")
                    if answer.status == 200 and answer.body.startswith(b"{"):
                        for value in msgspec.json.decode(answer.body).values():
                            if isinstance(value, list):
                                found.setdefault(endpoint.path, []).extend(_id(item) for item in value[:2] if _id(item))
        return found


def _id(item: Any) -> str:
    inner = item.get("keypair", item) if isinstance(item, dict) else {}
    return str(inner.get("id") or inner.get("uuid") or inner.get("name") or "")


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Any:
    loop = VirtualLoop()
    made = Target(loop, tmp_path_factory.mktemp("cloud"))
    made.do(made.build())
    yield made
    made.do(made.ledger.close())
    loop.close()


def problem(room: str, answer: Answer, method: str) -> str:
    """What is wrong with an answer; empty: nothing."""
    if answer.status >= 500 and answer.status not in (501, 503):
        return f"{answer.status} {answer.body[:200]!r}"
    if answer.status >= 400:
        if method != "HEAD" and not _in_form(room, answer):
            return f"not this service's form: {answer.status} {answer.body[:200]!r}"
        written = {table: n for table, n in answer.written.items() if n and not table.startswith(NOTED_BY_REFUSALS)}
        if written:
            return f"refused with {answer.status}, and yet written: {written}"
    return ""


def _in_form(room: str, answer: Answer) -> bool:
    if room == "image":
        return answer.body.startswith(b"<html>") or b"<title>" in answer.body
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


def versions(door: FrontDoor) -> list[str]:
    """The oldest, the newest, and some between."""
    low, high = door.dialect.earliest, door.dialect.latest
    return [text_of(n) for n in sorted({low, (2 * low + high) // 3, (low + 2 * high) // 3, high})] if high else [""]


def filled(path: str, ids: dict[str, list[str]], choice: random.Random, *, hostile: bool) -> str:
    """The path with something for each of its parameters: what exists, if the collection could be listed."""

    def one(match: re.Match[str]) -> str:
        known = ids.get(path[: match.start()].rstrip("/"), [])
        return choice.choice(known) if known and not (hostile and choice.random() < 0.7) else choice.choice(IDS)

    return re.sub(r"\{[^}]*\}", one, path)


def requests(room: str, target: Target, ids: dict[str, list[str]]) -> Any:
    """Hand-made requests to each endpoint: (method, path, persona, body, version, query, content type)."""
    service, door = target.cloud.services[room], target.cloud.doors[room]
    choice = random.Random(room)
    known = [id_ for found in ids.values() for id_ in found[:1]][:8]
    offered = [(e, service.prefix) for e in service.endpoints() if e.name != "action"] + [
        (e, "") for e in service.roots
    ]
    for endpoint, prefix in sorted(offered, key=lambda pair: pair[0].method == "DELETE"):
        for body in _few(_all_bodies(endpoint, door, known, choice), choice):
            path = prefix + filled(endpoint.path, ids, choice, hostile=endpoint.method == "DELETE")
            yield (
                endpoint.method,
                path,
                _persona(choice),
                body,
                choice.choice(versions(door)),
                "",
                _kind(endpoint, choice),
            )
        for query in _few([*QUERIES], choice) if endpoint.method in ("GET", "HEAD") else []:
            path = prefix + filled(endpoint.path, ids, choice, hostile=False)
            yield endpoint.method, path, _persona(choice), b"", choice.choice(versions(door)), query, ""
        if "{" in endpoint.path:
            for _ in range(4):
                path = prefix + filled(endpoint.path, ids, choice, hostile=True)
                yield endpoint.method, path, _persona(choice), b"{}" if endpoint.body else b"", "", "", KINDS[0]
    for resource in service.resources:
        for actions in resource.actions.values():
            for action in actions:
                for body in _few(list(bodies(action.body, door.dialect.latest, known)), choice):
                    path = service.prefix + filled(f"{resource.path}/{{id}}/action", ids, choice, hostile=False)
                    yield "POST", path, _persona(choice), body, choice.choice(versions(door)[1:] or [""]), "", KINDS[0]


def _persona(choice: random.Random) -> str:
    return choice.choice(("member", "admin"))


def _few(all_: list[Any], choice: random.Random) -> list[Any]:
    return all_ if len(all_) <= PER_ENDPOINT else choice.sample(all_, PER_ENDPOINT)


def _all_bodies(endpoint: Endpoint, door: FrontDoor, known: list[Any], choice: random.Random) -> list[bytes]:
    if endpoint.method not in ("POST", "PUT", "PATCH"):
        return [b""]
    raw = choice.sample(RAW, 5)
    body = declared(endpoint)
    if body is not None:
        return raw + list(bodies(body, door.dialect.latest, known))
    one = endpoint.path.rstrip("/").rpartition("/")[2].replace("-", "_").removesuffix("s")
    for key in WORDS:
        for value in (*NASTY, *known[:3], [{key: known[0]}] if known else []):
            inner = {key: value}
            raw.append(
                msgspec.json.encode(choice.choice((inner, [inner], {one: inner}, {"router": inner}, {"port": inner})))
            )
    raw += [
        msgspec.json.encode([{"op": op, "path": at, "value": choice.choice(NASTY)}])
        for op in ("add", "replace", "remove", "x")
        for at in PATCHED
    ]
    return raw


def declared(endpoint: Endpoint) -> Body | None:
    """What may be sent there, where it is declared; network's nouns read their bodies themselves."""
    if isinstance(endpoint.body, Body):
        return endpoint.body
    for noun in NOUNS:
        if endpoint.method == "POST" and endpoint.path == noun.path:
            return Body(noun.one, noun.fields)
        if endpoint.method == "PUT" and endpoint.path == f"{noun.path}/{{{noun.key}}}":
            return Body(noun.one, noun.fields, verb="update")
    return None


def _kind(endpoint: Endpoint, choice: random.Random) -> str:
    return choice.choice(KINDS) if endpoint.raw else KINDS[0]


@pytest.mark.parametrize("room", ROOMS)
def test_no_hand_made_request_breaks_an_endpoint(target: Target, room: str) -> None:
    ids = target.do(target.ids(room))
    problems = []
    for method, path, persona, body, version, query, kind in requests(room, target, ids):
        answer = target.do(target.ask(room, method, path, persona, body, version, query, kind))
        found = problem(room, answer, method)
        if found:
            problems.append(f"{persona} {method} {path}?{query[:80]} at {version} {body[:120]!r}: {found}")
    assert not problems, f"{len(problems)}:\n" + "\n".join(problems[:40])


_numbers = st.integers() | st.floats(allow_nan=False, allow_infinity=False)
_texts = st.text(st.characters(codec="utf-8"), max_size=30)
_json = st.recursive(
    st.none() | st.booleans() | _numbers | _texts | st.sampled_from(NASTY),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize("room", ROOMS)
@seed(1)
@settings(max_examples=150, derandomize=True, deadline=None, database=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_no_invented_request_breaks_an_endpoint(target: Target, room: str, data: st.DataObject) -> None:
    service, door = target.cloud.services[room], target.cloud.doors[room]
    endpoint = data.draw(st.sampled_from([e for e in service.endpoints() if e.method != "DELETE"]))
    value: Any = data.draw(_json)
    body = endpoint.body
    if isinstance(body, Body) and body.kind is None and data.draw(st.booleans()):
        names = [field.name for field in body.shape.fields]
        value = data.draw(st.dictionaries(st.sampled_from(names), _json, max_size=5)) if names else {}
    if isinstance(body, Body) and body.one:
        value = {body.one: value}
    raw = msgspec.json.encode(value) if endpoint.method in ("POST", "PUT", "PATCH") else b""
    path = re.sub(r"\{[^}]*\}", lambda _: data.draw(st.sampled_from(IDS)), endpoint.path)
    version = data.draw(st.sampled_from(versions(door)))
    persona = data.draw(st.sampled_from(("member", "admin")))
    query = data.draw(st.sampled_from(("", *QUERIES)))
    answer = target.do(target.ask(room, endpoint.method, service.prefix + path, persona, raw, version, query))
    found = problem(room, answer, endpoint.method)
    assert not found, (persona, endpoint.method, path, query, raw, version, found)
