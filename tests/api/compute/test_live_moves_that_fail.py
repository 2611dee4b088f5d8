"""A running server that cannot get to another host goes on where it is."""

from __future__ import annotations

import pytest

from cumulet.contracts.assignments import Fault, Kind
from cumulet.contracts.machines import MachineFacts, Power
from cumulet.contracts.moves import MoveFacts, Stage
from cumulet.services.compute.moves.live import FAULT_SECONDS
from cumulet.services.compute.moves.row import MoveRow
from tests.api.compute.moving import HOST, OTHER, actions, migrations, on_its_way, why
from tests.support.small_cloud import SmallCloud


async def test_a_live_move_is_called_off(cloud: SmallCloud) -> None:
    server, host, number = await on_its_way(cloud)
    path = f"/servers/{server['id']}/migrations/{number}"
    await cloud.compute.as_("admin").at("2.24").delete(path, 202)
    await cloud.settle()
    page = await cloud.page(server["id"])
    assert (page["status"], page[HOST]) == ("ACTIVE", host)
    assert cloud.machine(server["id"]) == (host, Power.RUNNING)
    assert server["id"] not in cloud.nodes.worlds[OTHER[host]].machines
    assert set(await cloud.placement.claims(server["id"])) == {host}
    assert [move["status"] for move in await migrations(cloud, server["id"])] == ["cancelled"]
    await cloud.compute.as_("admin").at("2.24").delete(path, 400)
    await cloud.compute.as_("admin").at("2.24").get(path, 404)
    assert (await actions(cloud, server["id"]))[:2] == [("live_migration_abort", None), ("live-migration", "Error")]


async def test_a_live_move_is_forced_to_its_end(cloud: SmallCloud) -> None:
    server, host, number = await on_its_way(cloud)
    path = f"/servers/{server['id']}/migrations/{number}/action"
    await cloud.compute.as_("admin").at("2.22").post(path, {"force_complete": None}, 202)
    await cloud.settle()
    (moved,) = await migrations(cloud, server["id"])
    for known_as in (number, moved["uuid"]):
        path = f"/servers/{server['id']}/migrations/{known_as}/action"
        answer = await cloud.compute.as_("admin").at("2.59").post(path, {"force_complete": None}, 400)
        assert "completed" in answer["badRequest"]["message"]
    page = await cloud.page(server["id"])
    assert (page["status"], page[HOST]) == ("ACTIVE", OTHER[host])
    assert cloud.machine(server["id"]) == (OTHER[host], Power.RUNNING)


async def test_a_host_that_dies_on_the_way_costs_nothing(cloud: SmallCloud) -> None:
    server, host, _ = await on_its_way(cloud)
    cloud.nodes.kill(OTHER[host])
    cloud.bus.wake("server", server["id"])
    await cloud.settle()
    page = await cloud.page(server["id"])
    assert (page["status"], page[HOST]) == ("ACTIVE", host)
    assert cloud.nodes.worlds[host].machines[server["id"]].power is Power.RUNNING
    assert [move["status"] for move in await migrations(cloud, server["id"])] == ["error"]
    assert f"Host {OTHER[host]} went down" in await why(cloud, server["id"])
    cloud.nodes.revive(OTHER[host])
    await cloud.settle()
    assert server["id"] not in cloud.nodes.worlds[OTHER[host]].machines


async def fails_at(cloud: SmallCloud, node: str, server_id: str) -> None:
    """A node could not look after a machine on its way, and does not say that the way has ended there."""
    fault = Fault(message="The node could not do what was ordered.")
    cloud.nodes.report(node, Kind.MACHINE, server_id, MachineFacts(id=server_id, power=Power.PAUSED, fault=fault))
    await cloud.settle()


@pytest.mark.parametrize("old", [True, False])
@pytest.mark.parametrize("lasting", [True, False])
async def test_a_host_that_fails_tries_again_for_a_minute(cloud: SmallCloud, old: bool, lasting: bool) -> None:
    server, host, _ = await on_its_way(cloud)
    failing = host if old else OTHER[host]
    await fails_at(cloud, failing, server["id"])
    assert (await cloud.page(server["id"]))["status"] == "MIGRATING"
    if lasting:
        cloud.clock.jump(FAULT_SECONDS + 1)
        await fails_at(cloud, failing, server["id"])
    else:
        for world in cloud.nodes.worlds.values():
            world.note(server["id"])  # both are looked after again
        cloud.clock.jump(FAULT_SECONDS + 1)
        await cloud.settle()
        await fails_at(cloud, failing, server["id"])
        cloud.nodes.worlds[host].sticks = False
        for world in cloud.nodes.worlds.values():
            world.note(server["id"])
    await cloud.settle()
    page = await cloud.page(server["id"])
    assert (page["status"], page[HOST]) == ("ACTIVE", host if lasting else OTHER[host])
    assert cloud.machine(server["id"]) == (page[HOST], Power.RUNNING)
    assert [move["status"] for move in await migrations(cloud, server["id"])] == ["error" if lasting else "completed"]


async def test_what_came_and_ended_there_stays_where_it_was(cloud: SmallCloud) -> None:
    server, host, _ = await on_its_way(cloud)
    fault = Fault(message="The machine ended while its memory came.")
    async with cloud.room.database.read() as tx:
        (move,) = await tx.find(MoveRow, server_id=server["id"])
    ended = MoveFacts(move=move.id, stage=Stage.FAILED)
    facts = MachineFacts(id=server["id"], power=Power.CRASHED, fault=fault, move=ended)
    cloud.nodes.report(OTHER[host], Kind.MACHINE, server["id"], facts)
    await cloud.settle()
    page = await cloud.page(server["id"])
    assert (page["status"], page[HOST]) == ("ACTIVE", host)
    assert fault.message in await why(cloud, server["id"])
