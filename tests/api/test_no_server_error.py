"""Whatever is sent to whatever endpoint, the answer is no fault of the server's own, and a refusal changes nothing."""

from __future__ import annotations

import random
import re
from typing import Any

import msgspec
import pytest

from cumulet.core.web.resource import Endpoint
from cumulet.core.web.service import FrontDoor
from cumulet.core.web.versions import text_of
from tests.support.asking import declared
from tests.support.hostile import IDS, NASTY, PATCHED, QUERIES, RAW, bodies
from tests.support.target import ROOMS, Target, problem
from tests.support.virtual_time import VirtualLoop

PER_ENDPOINT = 40
"""Requests of each kind to one endpoint; which ones is decided by a fixed seed."""

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


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Any:
    loop = VirtualLoop()
    made = Target(loop, tmp_path_factory.mktemp("cloud"))
    made.do(made.build())
    yield made
    made.close()
    loop.close()


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
