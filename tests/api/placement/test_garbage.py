"""Whatever is sent, the answer is a refusal in placement's own form and never a failure."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.services.placement.service import service
from tests.api.placement.making import provider
from tests.support.client import Client

pytestmark = pytest.mark.db

BODIES: list[bytes] = [
    b"",
    b"{",
    b"null",
    b"[]",
    b"{}",
    b'"text"',
    b"[[[[[[1]]]]]]",
    b'{"name": null}',
    b'{"name": "a\\u0000b"}',
    b'{"name": 1e999}',
    b'{"name": ' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"aggregates": [1], "resource_provider_generation": 99999999999999999999999999}',
    b'{"traits": ["\\u0000"], "resource_provider_generation": 0}',
    b'{"inventories": {"\\u0000": {"total": 1}}, "resource_provider_generation": 0}',
    b'{"inventories": {"VCPU": {"total": 1e400}}, "resource_provider_generation": 0}',
    b'{"inventories": {"x": {"inventories": {}, "resource_provider_generation": 0}}, "allocations": {}}',
    b"\xff\xfe",
]
WORDS = ["%00", "%ff", "x" * 4000, "..", "%2F", "*", "'", "%0A", "\u00e4"]


@pytest.mark.parametrize("version", ["1.0", "1.6", "1.12", "1.18", "1.39"])
async def test_bodies(placement: Client, version: str) -> None:
    id_ = await provider(placement, "one", {"VCPU": 1})
    at = placement.as_("service").at(version)
    for endpoint in service().endpoints():
        if endpoint.method in ("POST", "PUT"):
            path = endpoint.path.format(uuid=id_, consumer=id_, name="CUSTOM_X", resource_class="VCPU")
            for body in BODIES:
                answer = await at(endpoint.method, path, content=body, headers={"content-type": "application/json"})
                _is_refusal_or_success(answer, f"{endpoint.method} {path} {body[:60]!r}")


async def test_paths_and_queries(placement: Client) -> None:
    for endpoint in service().endpoints():
        if endpoint.method in ("GET", "DELETE"):
            for word in WORDS:
                path = endpoint.path.format(uuid=word, consumer=word, name=word, resource_class=word)
                _is_refusal_or_success(await placement(endpoint.method, path), path)
    for key in ("name", "uuid", "member_of", "resources", "required", "in_tree", "project_id", "limit", "resources1"):
        for noun in ("resource_providers", "allocation_candidates", "usages", "traits"):
            for word in [*WORDS, "", ",", ":", "!", "in:", "!in:", "VCPU:1,", "VCPU:9223372036854775808"]:
                path = f"/{noun}?{key}={word}"
                _is_refusal_or_success(await placement("GET", path), path)


def _is_refusal_or_success(answer: Any, what: str) -> None:
    assert answer.status_code < 500, f"{what}: {answer.text}"
    if answer.status_code >= 400:
        (error,) = answer.json()["errors"]
        assert error["status"] == answer.status_code, what
        assert error["request_id"].startswith("req-"), what
