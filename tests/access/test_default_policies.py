"""The default rules of every service: personas get from them what the reference interpreter gives."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from oslo_context.context import RequestContext

from cumulet.core.access.rules import Rules
from cumulet.services.block_storage import policies as block_storage
from cumulet.services.compute import policies as compute
from cumulet.services.identity import policies as identity
from cumulet.services.image import policies as image
from cumulet.services.network import policies as network
from cumulet.services.placement import policies as placement
from tests.support.policy_oracle import Oracle

SERVICES = {
    "block_storage": block_storage.DEFAULTS,
    "compute": compute.DEFAULTS,
    "identity": identity.DEFAULTS,
    "image": image.DEFAULTS,
    "network": network.DEFAULTS,
    "placement": placement.DEFAULTS,
}


def persona(*roles: str, service_roles: tuple[str, ...] = (), **scope: str) -> dict[str, object]:
    context = RequestContext(
        user_id="u1", user_domain_id="d1", roles=list(roles), service_roles=[*service_roles], **scope
    )
    return {**context.to_policy_values(), "token": {"domain": {"id": scope.get("domain_id")}}}


PERSONAS = {
    "project reader": persona("reader", project_id="p1", project_domain_id="d1"),
    "project member": persona("member", "reader", project_id="p1", project_domain_id="d1"),
    "project manager": persona("manager", "member", "reader", project_id="p1", project_domain_id="d1"),
    "project admin": persona("admin", "manager", "member", "reader", project_id="p0", project_domain_id="d0"),
    "other project's member": persona("member", "reader", project_id="p2", project_domain_id="d2"),
    "member through a service": persona("member", "reader", project_id="p1", service_roles=("service",)),
    "service": persona("service", project_id="services"),
    "domain reader": persona("reader", domain_id="d1"),
    "domain manager": persona("manager", "member", "reader", domain_id="d1"),
    "domain admin": persona("admin", domain_id="d1"),
    "system reader": persona("reader", system_scope="all"),
    "system admin": persona("admin", "member", "reader", system_scope="all"),
    "nobody": persona(project_id="p1"),
}

# Every place that a default rule names, once as the caller's own, once as another's, once as nobody's.
OWN = {
    **dict.fromkeys(("project_id", "owner", "member_id", "network:project_id", "ext_parent:project_id"), "p1"),
    **dict.fromkeys(("security_group:project_id", "target.project.id", "target.limit.project_id"), "p1"),
    **dict.fromkeys(("user_id", "target.user.id", "target.token.user_id", "target.credential.user_id"), "u1"),
    **dict.fromkeys(("target.trust.trustor_user_id", "target.trust.trustee_user_id"), "u1"),
    **dict.fromkeys(("domain_id", "target.domain_id", "target.domain.id", "target.limit.domain.id"), "d1"),
    **dict.fromkeys(("target.group.domain_id", "target.project.domain_id", "target.user.domain_id"), "d1"),
    **dict.fromkeys(("target.role.domain_id", "target.limit.project.domain_id"), "d1"),
    "target.role.name": "member",
    "visibility": "private",
    "shared": False,
    "router:external": False,
    "device_owner": "compute:nova",
    "target_project": "p2",
    "target_tenant": "p2",
    "belongs_to_default_sg": True,
}
TARGETS: dict[str, Mapping[str, object]] = {
    "own": OWN,
    "another's, shared": {
        **dict.fromkeys(OWN, "x"),
        "visibility": "public",
        "shared": True,
        "router:external": True,
        "target_project": "*",
        "device_owner": "network:dhcp",
        "target.role.name": "admin",
    },
    "nobody's": {**dict.fromkeys(OWN, None), "target.role.name": "reader"},
    "empty": {},
}


@pytest.mark.parametrize("service", SERVICES)
def test_personas_get_what_the_reference_gives(service: str) -> None:
    defaults = SERVICES[service]
    ours, theirs = Rules(defaults), Oracle(defaults)
    different = [
        (rule, who, what)
        for rule in defaults
        for who, creds in PERSONAS.items()
        for what, target in TARGETS.items()
        if ours.allows(rule, target, creds) != theirs.allows(rule, target, creds)
    ]
    assert not different


def test_a_manager_may_do_more_than_a_member_and_less_than_an_administrator() -> None:
    rules = Rules(compute.DEFAULTS)
    server = {"project_id": "p1"}

    def may(who: str, rule: str) -> bool:
        return rules.allows(f"os_compute_api:{rule}", server, PERSONAS[who])

    assert [may("project reader", "servers:show"), may("project reader", "servers:start")] == [True, False]
    assert [may("project member", "servers:start"), may("project member", "os-migrate-server:migrate")] == [True, False]
    assert may("project manager", "os-migrate-server:migrate")
    assert not may("project manager", "os-migrate-server:migrate:host")
    assert may("project admin", "os-migrate-server:migrate:host")
    assert not may("other project's member", "servers:show")


def test_a_shared_network_may_be_seen_but_not_changed() -> None:
    rules = Rules(network.DEFAULTS)
    shared = TARGETS["another's, shared"]
    assert rules.allows("get_network", shared, PERSONAS["project reader"])
    assert not rules.allows("update_network", shared, PERSONAS["project manager"])


def test_a_domain_manager_administers_his_domain_only() -> None:
    rules = Rules(identity.DEFAULTS)
    manager = PERSONAS["domain manager"]
    assert rules.allows("identity:create_project", {"target": {"project": {"domain_id": "d1"}}}, manager)
    assert not rules.allows("identity:create_project", {"target": {"project": {"domain_id": "d2"}}}, manager)
    assert not rules.allows("identity:create_domain", {}, manager)
