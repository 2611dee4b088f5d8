"""Flavors: ways in which routers are made, under names that an administrator gives them."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.network.conftest import Maker
from tests.support.client import Client

pytestmark = pytest.mark.db
HELD = "neutron.services.l3_router.service_providers.ha.HaDriver"
ALONE = "neutron.services.l3_router.service_providers.single_node.SingleNodeDriver"


async def flavor_of(admin: Client, driver: str, **attributes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """(flavor, its profile)."""
    make = Maker(admin)
    profile = await make.one("service_profile", "/service_profiles", driver=driver)
    flavor = await make.one("flavor", "/flavors", **{"service_type": "L3_ROUTER_NAT", "name": "f", **attributes})
    body = {"service_profile": {"id": profile["id"]}}
    assert await admin.post(f"/flavors/{flavor['id']}/service_profiles", body) == body
    return flavor, profile


async def test_a_router_is_made_as_its_flavor_says(network: Client, make: Maker) -> None:
    admin = network.as_("admin")
    shown = (await network.get("/service-providers"))["service_providers"]
    assert [(provider["name"], provider["default"]) for provider in shown] == [("single_node", True), ("ha", False)]
    for driver, name, several in ((HELD, "ha", True), (ALONE, "single_node", False)):
        flavor, profile = await flavor_of(admin, driver)
        path = f"/flavors/{flavor['id']}"
        assert (await network.get(path))["flavor"]["service_profiles"] == [profile["id"]]
        (following,) = (await admin.get(path + "/next_providers"))["next_providers"]
        assert (following["provider"], following["driver"]) == (name, driver)
        router = await make.one("router", "/routers", flavor_id=flavor["id"])
        assert router["flavor_id"] == flavor["id"]
        assert (await admin.get(f"/routers/{router['id']}"))["router"]["ha"] is several
        assert [r["id"] for r in (await network.get(f"/routers?flavor_id={flavor['id']}"))["routers"]] == [router["id"]]
        assert (await admin.delete(path, 409))["NeutronError"]["type"] == "FlavorInUse"
        await network.put(f"/routers/{router['id']}", {"router": {"flavor_id": None}}, 400)
        await network.delete(f"/routers/{router['id']}")
        await admin.delete(f"{path}/service_profiles/{profile['id']}")
        await admin.delete(path)
        await admin.delete(f"/service_profiles/{profile['id']}")
    assert (await make.one("router", "/routers"))["flavor_id"] is None


async def test_what_a_flavor_cannot_be(network: Client) -> None:
    admin = network.as_("admin")
    for wrong in ({}, {"service_type": "NONE"}, {"service_type": "VPN", "service_profiles": ["x"]}):
        await admin.post("/flavors", {"flavor": wrong}, 400)
    unknown = {"flavor": {"service_type": "VPN", "service_profiles": ["0" * 32]}}
    assert (await admin.post("/flavors", unknown, 404))["NeutronError"]["type"] == "ServiceProfileNotFound"
    refused = await admin.post("/service_profiles", {"service_profile": {"driver": "mine"}}, 404)
    assert refused["NeutronError"]["type"] == "ServiceProfileDriverNotFound"
    refused = await admin.post("/service_profiles", {"service_profile": {}}, 400)
    assert refused["NeutronError"]["type"] == "ServiceProfileEmpty"
    flavor, profile = await flavor_of(admin, ALONE)
    path, wish = f"/flavors/{flavor['id']}", {"router": {"flavor_id": flavor["id"]}}
    body = {"service_profile": {"id": profile["id"]}}
    refused = await admin.post(path + "/service_profiles", body, 409)
    assert refused["NeutronError"]["type"] == "FlavorServiceProfileBindingExists"
    held = f"/service_profiles/{profile['id']}"
    assert (await admin.delete(held, 409))["NeutronError"]["type"] == "ServiceProfileInUse"
    await admin.put(held, {"service_profile": {"driver": HELD}}, 409)
    await admin.post("/routers", {"router": {**wish["router"], "ha": True}}, 400)
    await admin.put(held, {"service_profile": {"enabled": False}})
    assert (await network.post("/routers", wish, 503))["NeutronError"]["type"] == "ServiceProfileDisabled"
    await admin.put(path, {"flavor": {"enabled": False, "name": "g"}})
    assert (await network.post("/routers", wish, 503))["NeutronError"]["type"] == "FlavorDisabled"
    await admin.put(path, {"flavor": {"enabled": True, "service_profiles": []}})
    await admin.get(path + "/next_providers", 404)
    refused = await admin.delete(f"{path}/service_profiles/{profile['id']}", 404)
    assert refused["NeutronError"]["type"] == "FlavorServiceProfileBindingNotFound"
    other, _ = await flavor_of(admin, ALONE, service_type="VPN")
    await network.post("/routers", {"router": {"flavor_id": other["id"]}}, 400)
    await network.post("/routers", {"router": {"flavor_id": "0" * 300}}, 400)
    await network.post("/routers", {"router": {"flavor_id": "nothing"}}, 404)


async def test_flavors_are_for_administrators_to_make(network: Client) -> None:
    flavor, profile = await flavor_of(network.as_("admin"), ALONE)
    path = f"/flavors/{flavor['id']}"
    await network.get(path)
    await network.post("/flavors", {"flavor": {"service_type": "VPN"}}, 403)
    await network.put(path, {"flavor": {"name": "mine"}}, 403)
    await network.delete(path, 403)
    await network.post(path + "/service_profiles", {"service_profile": {"id": profile["id"]}}, 403)
    await network.delete(f"{path}/service_profiles/{profile['id']}", 403)
    await network.get(path + "/next_providers", 403)
    await network.get(f"/service_profiles/{profile['id']}", 404)
    assert (await network.get("/service_profiles"))["service_profiles"] == []
