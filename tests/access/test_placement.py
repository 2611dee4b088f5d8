"""Persona by operation: placement is for administrators and services; a project may see its own usages."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.core.access.rules import Rules
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.web.service import FrontDoor
from cumulet.lib.clock import SystemClock
from cumulet.services.placement.policies import DEFAULTS
from cumulet.services.placement.room import Placement
from cumulet.services.placement.service import service
from tests.api.placement.making import OWNER, provider, wish
from tests.support.client import Client
from tests.support.personas import ALT, DEMO, authenticate

WHO = ("admin", "manager", "member", "reader", "stranger", "nobody", "service")
CONSUMER = "c" * 8 + "-cccc-cccc-cccc-" + "c" * 12
NEW = "e" * 8 + "-eeee-eeee-eeee-" + "e" * 12


@pytest.fixture
def placement(database: Database, bus: MemoryBus) -> Client:
    room = Placement(database=database, bus=bus, clock=SystemClock(), rules=Rules(DEFAULTS))
    return Client(FrontDoor(service(), room, authenticate), "admin", "1.39")


VERBS: list[tuple[str, str, Any, int]] = [
    ("GET", "/resource_providers", None, 200),
    ("POST", "/resource_providers", {"name": "x"}, 200),
    ("GET", "{held}", None, 200),
    ("PUT", "{held}", {"name": "x"}, 200),
    ("DELETE", "{free}", None, 204),
    ("GET", "{held}/inventories", None, 200),
    ("POST", "{held}/inventories", {"resource_class": "VGPU", "total": 1}, 201),
    ("PUT", "{free}/inventories", {"resource_provider_generation": 1, "inventories": {}}, 200),
    ("DELETE", "{free}/inventories", None, 204),
    ("GET", "{held}/inventories/VCPU", None, 200),
    ("PUT", "{free}/inventories/VCPU", {"resource_provider_generation": 1, "total": 1}, 200),
    ("DELETE", "{free}/inventories/VCPU", None, 204),
    ("GET", "{held}/usages", None, 200),
    ("GET", "{held}/allocations", None, 200),
    ("GET", "{held}/aggregates", None, 200),
    ("PUT", "{free}/aggregates", {"resource_provider_generation": 1, "aggregates": []}, 200),
    ("GET", "{held}/traits", None, 200),
    ("PUT", "{free}/traits", {"resource_provider_generation": 1, "traits": []}, 200),
    ("DELETE", "{free}/traits", None, 204),
    ("GET", "/traits", None, 200),
    ("GET", "/traits/HW_CPU_X86_AVX", None, 204),
    ("PUT", "/traits/CUSTOM_X", None, 201),
    ("DELETE", "/traits/CUSTOM_OLD", None, 204),
    ("GET", "/resource_classes", None, 200),
    ("POST", "/resource_classes", {"name": "CUSTOM_X"}, 201),
    ("GET", "/resource_classes/VCPU", None, 200),
    ("PUT", "/resource_classes/CUSTOM_X", None, 201),
    ("DELETE", "/resource_classes/CUSTOM_OLD", None, 204),
    ("GET", f"/allocations/{CONSUMER}", None, 200),
    ("PUT", f"/allocations/{NEW}", wish({}), 204),
    ("POST", "/allocations", {NEW: wish({})}, 204),
    ("DELETE", f"/allocations/{CONSUMER}", None, 204),
    ("GET", "/allocation_candidates?resources=VCPU:1", None, 200),
    ("GET", f"/usages?project_id={ALT * 2}", None, 200),
]


async def paths(placement: Client) -> dict[str, str]:
    held = await provider(placement, "held", {"VCPU": 4})
    free = await provider(placement, "free", {"VCPU": 4})
    await placement.put(f"/allocations/{CONSUMER}", wish({held: {"VCPU": 1}}), 204)
    await placement.put("/traits/CUSTOM_OLD", status=201)
    await placement.put("/resource_classes/CUSTOM_OLD", status=201)
    return {"held": f"/resource_providers/{held}", "free": f"/resource_providers/{free}"}


@pytest.mark.parametrize(("method", "path", "body", "status"), VERBS, ids=[f"{m} {p}" for m, p, _, _ in VERBS])
@pytest.mark.parametrize("allowed", ["admin", "service"])
async def test_administrators_and_services_may_everything_else_nothing(
    placement: Client, allowed: str, method: str, path: str, body: Any, status: int
) -> None:
    at = path.format(**await paths(placement))
    for who in WHO:
        if who not in ("admin", "service"):
            assert (await placement.as_(who)(method, at, body)).status_code == 403, who
    assert (await placement.as_(allowed)(method, at, body)).status_code == status


async def test_who_may_not_ask_does_not_learn_what_there_is(placement: Client) -> None:
    for path in (f"/resource_providers/{NEW}", f"/resource_providers/{NEW}/traits", "/traits/CUSTOM_NONE"):
        await placement.as_("member").get(path, 403)
        await placement.get(path, 404)


@pytest.mark.parametrize(
    ("project", "statuses"),
    [(DEMO, (200, 200, 200, 200, 403, 403, 200)), (ALT, (200, 403, 403, 403, 200, 403, 200))],
)
async def test_a_project_sees_its_own_usages(placement: Client, project: str, statuses: tuple[int, ...]) -> None:
    await paths(placement)
    got = [(await placement.as_(who)("GET", f"/usages?project_id={project}")).status_code for who in WHO]
    assert dict(zip(WHO, got, strict=True)) == dict(zip(WHO, statuses, strict=True))
    assert OWNER["project_id"] == DEMO


async def test_only_services_reshape(placement: Client) -> None:
    id_ = (await paths(placement))["free"].rpartition("/")[2]
    body = {
        "inventories": {id_: {"resource_provider_generation": 1, "inventories": {"VCPU": {"total": 8}}}},
        "allocations": {},
    }
    for who in WHO[:-1]:
        assert (await placement.as_(who)("POST", "/reshaper", body)).status_code == 403, who
    await placement.as_("service").post("/reshaper", body, 204)
