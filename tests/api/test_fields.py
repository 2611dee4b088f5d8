"""The fields that are taken and shown, and since when: as the contracts have them, but for what the ledgers explain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import Any

import pytest

from cumulet.core.web.resource import Action, Endpoint
from cumulet.core.web.service import Service
from cumulet.core.web.versions import text_of, window
from tests.support import contract
from tests.support.asking import declared
from tests.support.contract import Contract, Operation, Schema, plain
from tests.support.ledger import ledger, unknown

REQUEST, SHOWN, WINDOW = "request", "shown", "window"


@pytest.fixture
def described(room: str) -> Contract:
    folder = contract.place()
    if folder is None:
        pytest.skip("the contracts are not on this machine; CUMULET_CONTRACTS names their folder")
    return Contract(room, folder)


@pytest.mark.parametrize("room", contract.FILES)
def test_fields_live_when_their_contracts_say(described: Contract, room: str) -> None:
    found = list(dict.fromkeys(differences(import_module(f"cumulet.services.{room}.service").service(), described)))
    strange = [f"{operation} {what}" for operation, what in found if unknown(room, operation, [what])]
    assert not strange, f"{len(strange)}:\n" + "\n".join(strange)
    named = {f"{operation} {what}" for operation, what in found} | {f"* {what}" for _, what in found}
    stale = [
        line
        for line in ledger(room)["differences"]
        if line.split()[-2] in (REQUEST, SHOWN, WINDOW) and line not in named
    ]
    assert not stale, f"the ledger explains what is no more: {stale}"


def differences(service: Service, described: Contract) -> Iterator[tuple[str, str]]:
    """Each difference as an operation and what is different there."""
    versions = range(service.dialect.earliest, service.dialect.latest + 1)
    for (method, path), endpoints in _by_address(service).items():
        operation = described.operations.get((method, path))
        if operation is not None:
            name = f"{method} {path}"
            yield from ((name, f"{WINDOW} {word}") for word in _lifetimes(endpoints, operation, versions))
            for version in versions:
                for endpoint in [one for one in endpoints if version in window(one.since, one.until)][:1]:
                    yield from ((name, f"{REQUEST} {word}") for word in _taken(endpoint, operation, version))
    for resource in service.resources:
        item = plain(f"{service.prefix}{resource.path}/{{id}}")
        for action, alternatives in resource.actions.items():
            operation = described.operations.get(("POST", f"{item}/action"))
            if operation is not None:
                yield from _acted(operation, action, alternatives, versions)
        operation = described.operations.get(("GET", item))
        if operation is not None:
            showing = [e for e in resource.endpoints if (e.method, plain(service.prefix + e.path)) == ("GET", item)]
            for version in [v for v in versions if any(v in window(e.since, e.until) for e in showing)]:
                ours = set(resource.view.names(version))
                for theirs in _named(operation.answers(version), resource.one if resource.wrapped else ""):
                    yield from ((f"GET {item}", f"{SHOWN} {word}") for word in _compared(ours, theirs))


def _by_address(service: Service) -> dict[tuple[str, str], list[Endpoint]]:
    found: dict[tuple[str, str], list[Endpoint]] = {}
    for endpoint in service.endpoints():
        found.setdefault((endpoint.method, plain(service.prefix + endpoint.path)), []).append(endpoint)
    return found


def _lifetimes(endpoints: list[Endpoint], operation: Operation, versions: range) -> Iterator[str]:
    """The first and the last version at which it is there and should not be, or the other way round."""
    here = {v for v in versions if any(v in window(one.since, one.until) for one in endpoints)}
    there = {v for v in versions if operation.lives_at(v)}
    for sign, strange in (("+", here - there), ("-", there - here)):
        if strange:
            yield f"{sign}{text_of(min(strange))}..{text_of(max(strange))}"


def _taken(endpoint: Endpoint, operation: Operation, version: int) -> list[str]:
    body = declared(endpoint)
    if body is None or body.kind is not None:
        return []
    ours = {field.name for field, _ in body.shape.at(version).fields}
    return [word for theirs in _sent(operation.bodies(version), body.one) for word in _compared(ours, theirs)]


def _acted(operation: Operation, name: str, alternatives: list[Action], versions: range) -> Iterator[tuple[str, str]]:
    for version in versions:
        alive = [action for action in alternatives if version in window(action.since, action.until)]
        schemas = [schema for schema in operation.bodies(version) if name in schema.get("properties", {})]
        if alive and schemas and alive[0].body.kind is None:
            ours = {field.name for field, _ in alive[0].body.shape.at(version).fields}
            for theirs in _sent(schemas, name):
                yield from ((f"POST {plain(operation.path)} {name}", f"{REQUEST} {w}") for w in _compared(ours, theirs))


def _compared(ours: set[str], theirs: set[str]) -> list[str]:
    return [*(f"+{name}" for name in sorted(ours - theirs)), *(f"-{name}" for name in sorted(theirs - ours))]


def _sent(schemas: list[Schema], one: str) -> list[set[str]]:
    """Without what is only read: descriptions name that in requests too."""
    return _named(schemas, one, lambda field: not field.get("readOnly"))


def _named(schemas: list[Schema], one: str, counts: Callable[[Schema], bool] = lambda field: True) -> list[set[str]]:
    """The names of the fields under a key, of all schemas together; nothing, if they name none."""
    found: set[str] = set()
    for schema in schemas:
        inner: Any = schema.get("properties", {}).get(one, {}) if one else schema
        for arm in (inner, *inner.get("anyOf", ()), *inner.get("allOf", ())):
            found |= {name for name, field in arm.get("properties", {}).items() if counts(field)}
    return [found] if found else []
