"""A port is prepared on other nodes, and lives on the one whose binding is active."""

from __future__ import annotations

from typing import Any

import pytest

from cumulet.contracts.assignments import Kind
from cumulet.services.network.room import Network
from tests.api.network.conftest import Maker
from tests.api.network.test_reconcilers import World, server
from tests.support.client import Client
from tests.support.fake_fleet import FakeFleet

pytestmark = pytest.mark.db


async def test_a_port_goes_where_it_was_prepared(network: Client, make: Maker, room: Network, fleet: FakeFleet) -> None:
    world, service = World(room, fleet), network.as_("service")
    net = await make.network()
    await make.subnet(net)
    port = await server(world, net, "a", "one")
    path = f"/ports/{port}/bindings"
    (active,) = (await service.get(path))["bindings"]
    assert (active["host"], active["status"], active["vif_type"]) == ("one", "ACTIVE", "bridge")
    wish = {"binding": {"host": "two", "profile": {"migrating_to": "two"}}}
    made = (await service.post(path, wish))["binding"]
    assert (made["host"], made["status"], made["profile"]) == ("two", "INACTIVE", {"migrating_to": "two"})
    refused = await service.post(path, wish, 409)
    assert refused["NeutronError"]["type"] == "PortBindingAlreadyExists"
    await service.post(path, {"binding": {"host": "one"}}, 409)
    await world.obey()
    told: dict[str, Any] = {host: fleet.told(host, Kind.PORT)[port] for host in ("one", "two")}
    assert (told["one"].host, told["two"].host) == ("one", "two")  # it is made on both
    assert set(fleet.told("two", Kind.GROUP)) == set(fleet.told("one", Kind.GROUP)) != set()
    changed = await service.put(f"{path}/two", {"binding": {"vnic_type": "macvtap", "profile": None}})
    assert (changed["binding"]["vnic_type"], changed["binding"]["profile"]) == ("macvtap", {})
    now = (await service.put(f"{path}/two/activate", {}))["binding"]
    assert (now["host"], now["status"], now["vnic_type"]) == ("two", "ACTIVE", "macvtap")
    shown = (await network.as_("admin").get(f"/ports/{port}"))["port"]
    # It was made there before it came: it is up at once.
    assert (shown["binding:host_id"], shown["status"]) == ("two", "ACTIVE")
    assert (await service.put(f"{path}/two/activate", {}, 409))["NeutronError"]["type"] == "PortBindingAlreadyActive"
    (before,) = (await service.get(path + "?status=INACTIVE"))["bindings"]
    assert (before["host"], before["vnic_type"]) == ("one", "normal")
    await service.delete(f"{path}/one")
    await world.obey()
    assert not fleet.told("one", Kind.PORT)
    await service.get(f"{path}/one", 404)
    await service.put(f"{path}/one/activate", {}, 404)
    assert (await service.delete(f"{path}/one", 404))["NeutronError"]["type"] == "PortBindingNotFound"
    await service.delete(f"{path}/two")
    await world.obey()
    assert (await service.get(path))["bindings"] == []
    assert not fleet.told("two", Kind.PORT)


async def test_bindings_are_for_services_and_of_servers(network: Client, make: Maker) -> None:
    service, admin = network.as_("service"), network.as_("admin")
    net = await make.network()
    bare = await make.port(net)
    path = f"/ports/{bare['id']}/bindings"
    await network.get(path, 403)
    await admin.get(path)
    await admin.post(path, {"binding": {"host": "one"}}, 403)
    assert (await service.post(path, {"binding": {"host": "one"}}, 400))["NeutronError"]["type"] == "BadRequest"
    await network.put(f"/ports/{bare['id']}", {"port": {"device_owner": "compute:nova"}})
    for wrong in ({}, {"host": ""}, {"host": "nowhere"}, {"host": 5}, {"host": "one", "status": "ACTIVE"}):
        await service.post(path, {"binding": wrong}, 400)
    await service.post(path, {"binding": {"host": "one"}})
    await service.delete(f"/ports/{bare['id']}")
    await service.get(path, 404)
