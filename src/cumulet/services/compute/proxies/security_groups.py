"""Security groups and their rules, as compute showed them until 2.35."""

from __future__ import annotations

from typing import Any

from cumulet.core.errors import BadRequest
from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import Int, Nullable, Text, Uuid
from cumulet.services.compute.proxies.passing import LAST, ask, uuid_of, window
from cumulet.services.compute.room import Compute
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.servers.row import ServerRow

RULE = "os_compute_api:os-security-groups:"
GROUPS = "/security-groups"
RULES = "/security-group-rules"
ANYWHERE = {"IPv4": "0.0.0.0/0", "IPv6": "::/0"}

_fields = (
    Field("name", Text(255, 1, r"\S"), create=REQUIRED),
    Field("description", Text(255), create=REQUIRED),
)
Group = Body("security_group", _fields)
GroupRule = Body(
    "security_group_rule",
    (
        Field("parent_group_id", Uuid, create=REQUIRED),
        Field("ip_protocol", Nullable(Text(16)), create=OPTIONAL),
        Field("from_port", Nullable(Int(-1, 65535)), create=OPTIONAL),
        Field("to_port", Nullable(Int(-1, 65535)), create=OPTIONAL),
        Field("cidr", Nullable(Text(64)), create=OPTIONAL),
        Field("group_id", Nullable(Uuid), create=OPTIONAL),
    ),
)


def ports_of(rule: dict[str, Any]) -> tuple[int | None, int | None]:
    """The ports of a rule: all of a protocol's where network says none."""
    first, last, protocol = rule["port_range_min"], rule["port_range_max"], (rule["protocol"] or "").lower()
    if first is not None or not protocol:
        return first, last
    return (1, 65535) if protocol in ("tcp", "udp") else (-1, -1)


def shown_rule(rule: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """A rule for what comes in; `names` are those of the groups that may be meant as sources."""
    first, last = ports_of(rule)
    source = rule["remote_group_id"]
    return {
        "id": rule["id"],
        "parent_group_id": rule["security_group_id"],
        "ip_protocol": rule["protocol"],
        "from_port": first,
        "to_port": last,
        "group": {"name": names.get(source, source), "tenant_id": rule["project_id"]} if source else {},
        "ip_range": {} if source else {"cidr": rule["remote_ip_prefix"] or ANYWHERE[rule["ethertype"]]},
    }


def shown(group: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    rules = [rule for rule in group["security_group_rules"] if rule["direction"] == "ingress"]
    return {
        "id": group["id"],
        "name": group["name"],
        "description": group["description"],
        "tenant_id": group["project_id"],
        "rules": [shown_rule(rule, names) for rule in rules],
    }


async def names_of(room: Compute, call: Call) -> dict[str, str]:
    """The groups that the caller sees, by id."""
    found = await ask(room.networks.api, call, "GET", GROUPS, query=[("fields", "id"), ("fields", "name")])
    return {group["id"]: group["name"] for group in found["security_groups"]}


async def index(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "list")
    everybody = call.caller.is_admin and call.request.one("all_tenants", "0") not in ("", "0", "false", "False")
    query = [] if everybody else [("project_id", call.caller.project_id)]
    groups = (await ask(room.networks.api, call, "GET", GROUPS, query=query))["security_groups"]
    names = {group["id"]: group["name"] for group in groups}
    ordered = sorted((shown(group, names) for group in groups), key=lambda group: (group["tenant_id"], group["name"]))
    return {"security_groups": window(call, ordered)}


async def show(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "show")
    found = await ask(room.networks.api, call, "GET", f"{GROUPS}/{uuid_of(call, 'Security group')}")
    return {"security_group": shown(found["security_group"], await names_of(room, call))}


async def create(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "create")
    wish = dict(call.wish)
    if any(name == wish["name"] for name in (await names_of(room, call)).values()):
        raise BadRequest(f"Security group {wish['name']} already exists")
    made = await ask(room.networks.api, call, "POST", GROUPS, {"security_group": wish})
    return {"security_group": shown(made["security_group"], {})}


async def update(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "update")
    group_id = uuid_of(call, "Security group")
    changed = await ask(room.networks.api, call, "PUT", f"{GROUPS}/{group_id}", {"security_group": dict(call.wish)})
    return {"security_group": shown(changed["security_group"], await names_of(room, call))}


async def delete(room: Compute, call: Call) -> None:
    call.allow(RULE + "delete")
    await ask(room.networks.api, call, "DELETE", f"{GROUPS}/{uuid_of(call, 'Security group')}")


def asked_rule(wish: dict[str, Any]) -> dict[str, Any]:
    """A rule as network is asked for it. Raises BadRequest."""
    protocol, first, last = wish.get("ip_protocol"), wish.get("from_port"), wish.get("to_port")
    cidr, source = wish.get("cidr"), wish.get("group_id")
    if not source and (protocol is None or first is None or last is None):
        raise BadRequest("A rule names a protocol with its ports, or a group that it lets in.")
    if protocol is not None and protocol.lower() not in ("tcp", "udp", "icmp"):
        raise BadRequest(f"Invalid IP protocol {protocol[:16]!r}: use tcp, udp or icmp.")
    if (
        protocol is not None
        and protocol.lower() != "icmp"
        and (first is None or last is None or not 1 <= first <= last)
    ):
        raise BadRequest(f"Invalid port range {first}:{last}. Valid ports are 1 to 65535, the lower one first.")
    prefix = None if source else cidr or ANYWHERE["IPv4"]
    asked: dict[str, Any] = {
        "security_group_id": wish["parent_group_id"],
        "direction": "ingress",
        "ethertype": "IPv6" if prefix and ":" in prefix else "IPv4",
        "protocol": protocol.lower() if protocol else None,
        "port_range_min": None if first == -1 else first,
        "port_range_max": None if last == -1 else last,
    }
    return asked | ({"remote_group_id": source} if source else {"remote_ip_prefix": prefix})


async def create_rule(room: Compute, call: Call) -> dict[str, Any]:
    call.allow(RULE + "rule:create")
    asked = asked_rule(call.wish)
    made = await ask(room.networks.api, call, "POST", RULES, {"security_group_rule": asked})
    return {"security_group_rule": shown_rule(made["security_group_rule"], await names_of(room, call))}


async def delete_rule(room: Compute, call: Call) -> None:
    call.allow(RULE + "rule:delete")
    await ask(room.networks.api, call, "DELETE", f"{RULES}/{uuid_of(call, 'Rule')}")


@servers.item("GET", RULE + "list", suffix="/os-security-groups")
async def of_server(room: Compute, call: Call, row: ServerRow) -> dict[str, Any]:
    """The groups that a server's cards are in."""
    ports = (await ask(room.networks.api, call, "GET", "/ports", query=[("device_id", row.id)]))["ports"]
    ids = sorted({group for port in ports for group in port["security_groups"]})
    if not ids:
        return {"security_groups": []}
    found = await ask(room.networks.api, call, "GET", GROUPS, query=[("id", group) for group in ids])
    names = await names_of(room, call)
    return {"security_groups": [shown(group, names) for group in found["security_groups"]]}


ROUTES = (
    Endpoint("GET", "/os-security-groups", index, until=LAST, name="security_groups"),
    Endpoint("POST", "/os-security-groups", create, until=LAST, body=Group, name="create_security_group"),
    Endpoint("GET", "/os-security-groups/{id}", show, until=LAST, name="security_group"),
    Endpoint("PUT", "/os-security-groups/{id}", update, until=LAST, body=Group, name="update_security_group"),
    Endpoint("DELETE", "/os-security-groups/{id}", delete, 202, until=LAST, name="delete_security_group"),
    Endpoint("POST", "/os-security-group-rules", create_rule, until=LAST, body=GroupRule, name="create_rule"),
    Endpoint("DELETE", "/os-security-group-rules/{id}", delete_rule, 202, until=LAST, name="delete_rule"),
)
