"""Who may do what to a server of project d: every verb as every persona."""

from __future__ import annotations

import pytest
import pytest_asyncio

from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from tests.support.small_cloud import SmallCloud

PERSONAS = ("admin", "manager", "member", "reader", "stranger", "nobody")
MEMBERS = {"admin", "manager", "member"}
READERS = MEMBERS | {"reader"}
MANAGERS = {"admin", "manager"}
ADMIN = {"admin"}
ALL = set(PERSONAS)

VERBS = (
    # method, path below the server, body, who may
    ("GET", "", None, READERS),
    ("PUT", "", {"server": {"name": "n"}}, MEMBERS),
    ("GET", "/metadata", None, READERS),
    ("POST", "/metadata", {"metadata": {"a": "b"}}, MEMBERS),
    ("GET", "/tags", None, READERS),
    ("PUT", "/tags/red", None, MEMBERS),
    ("GET", "/os-interface", None, READERS),
    ("GET", "/os-volume_attachments", None, READERS),
    ("GET", "/os-instance-actions", None, READERS),
    ("GET", "/ips", None, READERS),
    ("GET", "/diagnostics", None, ADMIN),
    ("GET", "/migrations", None, MANAGERS),
    ("GET", "/topology", None, READERS),
    ("POST", "/remote-consoles", {"remote_console": {"protocol": "vnc", "type": "novnc"}}, MEMBERS),
    ("POST", "/action", {"os-stop": None}, MEMBERS),
    ("POST", "/action", {"reboot": {"type": "HARD"}}, MEMBERS),
    ("POST", "/action", {"lock": None}, MEMBERS),
    ("POST", "/action", {"os-getConsoleOutput": {}}, MEMBERS),
    ("POST", "/action", {"os-resetState": {"state": "active"}}, ADMIN),
    ("POST", "/action", {"migrate": None}, MANAGERS),
    ("POST", "/action", {"evacuate": {}}, ADMIN),
    ("POST", "/action", {"shelveOffload": None}, ADMIN),
    ("DELETE", "", None, MEMBERS),
)
COLLECTIONS = (
    ("/flavors", ALL),
    ("/servers", READERS | {"stranger"}),
    ("/servers?all_tenants=1", ADMIN),
    ("/os-aggregates", ADMIN),
    ("/os-hypervisors", ADMIN),
    ("/os-services", ADMIN),
    ("/os-availability-zone", ALL),
    ("/os-availability-zone/detail", ADMIN),
    ("/os-migrations", MANAGERS),
    ("/limits", ALL),
    ("/os-simple-tenant-usage", ADMIN),
    ("/os-server-groups", READERS | {"stranger"}),
    (f"/os-quota-sets/{'d' * 32}", READERS),
)


@pytest_asyncio.fixture
async def cloud(database: Database, bus: MemoryBus) -> SmallCloud:
    made = SmallCloud(database, bus)
    await made.start()
    return made


@pytest.mark.parametrize("verb", VERBS, ids=lambda verb: f"{verb[0]} {verb[1]} {next(iter(verb[2] or ['']))}")
async def test_verbs_of_a_server(cloud: SmallCloud, verb: tuple) -> None:
    method, path, body, allowed = verb
    server = await cloud.make_server()
    for persona in reversed(PERSONAS):
        client = cloud.compute.as_(persona).at("2.79")
        answer = await client(method, f"/servers/{server['id']}{path}", body)
        refused = answer.status_code == (404 if persona == "stranger" else 403)
        assert refused != (persona in allowed), (persona, answer.status_code, answer.text)


@pytest.mark.parametrize(("path", "allowed"), COLLECTIONS, ids=lambda value: value if isinstance(value, str) else "")
async def test_lists(cloud: SmallCloud, path: str, allowed: set[str]) -> None:
    for persona in PERSONAS:
        answer = await cloud.compute.as_(persona).at("2.79")("GET", path)
        assert answer.status_code == (200 if persona in allowed else 403), (persona, answer.text)
