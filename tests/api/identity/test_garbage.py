"""Whatever is sent, nobody gets a 500."""

from __future__ import annotations

import re

import pytest

from cumulet.services.identity.service import service
from tests.api.identity.cloud import Cloud

pytestmark = pytest.mark.db

PARTS = ("missing", "%00", "a" * 300, "%C3%A9%F0%9F%98%80", "..%2F..", "%25")
BODIES = (b"", b"null", b"[]", b"{}", b'{"\xff', b'{"x": 1}', b"[" * 5000)
WORDS = (5, None, [], {}, "x", [{}], {"id": "x"}, {"name": "x", "blob": "{", "type": "ec2", "enabled": None})
QUERIES = ("limit=-1", "limit=x", "marker=zz", "enabled=perhaps", "name__contains=%25_%2F", "since=soon", "effective=1")


async def test_keys_that_are_too_deep_are_no_keys(cloud: Cloud) -> None:
    admin = await cloud.admin()
    project = admin.body["project"]["id"]
    wish = {"type": "ec2", "project_id": project, "blob": '{"access":' + "[" * 30_000}
    assert "blob" in (await admin.post("/credentials", {"credential": wish}, 400))["error"]["message"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
async def test_garbage_is_refused_politely(cloud: Cloud, method: str) -> None:
    admin = await cloud.admin()
    endpoints = [endpoint for endpoint in service().endpoints() if endpoint.method == method]
    for place, endpoint in enumerate(endpoints):
        word = PARTS[place % len(PARTS)]
        path = re.sub(r"\{[^}]*\}", word, endpoint.path)
        if method in ("GET", "HEAD"):
            for query in QUERIES:
                answer = await admin(method, f"{path}?{query}")
                assert answer.status_code < 500, f"{path}?{query}: {answer.text}"
            continue
        one = endpoint.body.one if endpoint.body else ""
        for raw in BODIES:
            answer = await admin(method, path, content=raw, headers={"content-type": "application/json"})
            assert answer.status_code < 500, f"{method} {path} {raw[:40]!r}: {answer.text}"
        for value in WORDS if one else ():
            answer = await admin(method, path, {one: value})
            assert answer.status_code < 500, f"{method} {path} {value}: {answer.text}"
