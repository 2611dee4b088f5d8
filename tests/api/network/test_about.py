"""What the service tells of itself, and whether its ledgers are true."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from cumulet.services.network import room as network_room
from cumulet.services.network.policies import DEFAULTS
from cumulet.services.network.service import NOUNS, service
from tests.support.client import Client

UNNAMED = {"update_security_group_rule"}
"""Falls to the rule called `default`."""


def plain(operation: str) -> str:
    return re.sub(r"\{[^}]*\}", "{}", operation)


def test_the_ledger_of_operations_is_true() -> None:
    ledger = tomllib.loads((Path(network_room.__file__).parent / "coverage.toml").read_text())
    served = {plain(f"{e.method} /v2.0{e.path}") for e in service().endpoints()}
    assert {plain(operation) for operation in ledger["done"]} <= served
    assert not {plain(operation) for operation in [*ledger["todo"], *ledger["exempt"]]} & served
    assert len(ledger["done"]) + len(ledger["todo"]) + len(ledger["exempt"]) == 353


def test_every_noun_has_rules() -> None:
    for noun in NOUNS:
        for endpoint in noun.endpoints:
            verb = {"GET": "get", "POST": "create", "PUT": "update", "DELETE": "delete"}[endpoint.method]
            if endpoint.name.startswith(("create_", "update_", "delete_", "show_", "list_")):
                assert f"{verb}_{noun.rule}" in DEFAULTS or endpoint.name in UNNAMED, endpoint.name


async def test_versions_need_no_token(network: Client) -> None:
    door = Client(network.door, "nobody known", prefix="/")
    (version,) = (await door.get(""))["versions"]
    assert (version["id"], version["status"]) == ("v2.0", "CURRENT")
    listed = (await network.get("/"))["resources"]
    assert {"networks", "ports", "routers"} <= {resource["collection"] for resource in listed}
    await Client(network.door, "nobody known").get("/networks", 401)


async def test_tags_of_policies_stand_at_two_paths(network: Client) -> None:
    manager = network.as_("manager")
    policy = (await manager.post("/qos/policies", {"policy": {"name": "p"}}))["policy"]
    await manager.put(f"/policies/{policy['id']}/tags", {"tags": ["a"]})
    assert (await manager.get(f"/qos/policies/{policy['id']}/tags"))["tags"] == ["a"]


async def test_pairs_are_added_one_by_one(network: Client) -> None:
    net = (await network.post("/networks", {"network": {}}))["network"]
    port = (await network.post("/ports", {"port": {"network_id": net["id"]}}))["port"]
    path = f"/ports/{port['id']}"
    body = {"port": {"allowed_address_pairs": [{"ip_address": "10.0.0.9"}]}}
    assert len((await network.put(path + "/add_allowed_address_pairs", body))["port"]["allowed_address_pairs"]) == 1
    assert len((await network.put(path + "/add_allowed_address_pairs", body))["port"]["allowed_address_pairs"]) == 1
    assert (await network.put(path + "/remove_allowed_address_pairs", body))["port"]["allowed_address_pairs"] == []
