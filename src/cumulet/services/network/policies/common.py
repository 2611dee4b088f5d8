"""What other rules ask, and the rules of what is small."""

from __future__ import annotations

from cumulet.services.network.policies.texts import (
    ADMIN,
    PROJECT_MANAGER,
    PROJECT_MEMBER,
    PROJECT_READER,
    READER,
    noun,
    rules,
)

_NOT_EVERYBODY = "rule:admin_only or (not field:rbac_policy:target_tenant=* and not field:rbac_policy:target_project=*)"

ASKED = {
    "admin_only": "rule:context_is_admin",
    "admin_or_ext_parent_owner": "rule:context_is_admin or project_id:%(ext_parent:project_id)s",
    "admin_or_network_owner": "rule:context_is_admin or project_id:%(network:project_id)s",
    "admin_or_owner": "rule:context_is_admin or rule:owner",
    "admin_owner_or_network_owner": "rule:owner or rule:admin_or_network_owner",
    "context_is_admin": "role:admin",
    "context_is_advsvc": "role:advsvc",
    "context_with_global_access": "!",
    "default": "rule:admin_or_owner",
    "ext_parent_owner": "project_id:%(ext_parent:project_id)s",
    "network_owner": "project_id:%(network:project_id)s",
    "owner": "project_id:%(project_id)s",
    "regular_user": "",
    "service_api": "role:service",
    "sg_owner": "project_id:%(security_group:project_id)s",
    "shared": "field:networks:shared=True",
}
AGENTS = {
    **noun("agent", read=ADMIN, write=ADMIN),
    **rules(("create", "delete"), "dhcp-network", text=ADMIN),
    **rules(("create", "update", "delete"), "l3-router", text=ADMIN),
    **rules(("get",), "dhcp-agents", "dhcp-networks", "l3-agents", "l3-routers", text=ADMIN),
    "get_availability_zone": READER,
}
FLAVORS = {
    **noun("flavor", read=READER, write=ADMIN),
    **noun("flavor_service_profile", write=ADMIN, verbs=("create", "delete")),
    **noun("service_profile", read=ADMIN, write=ADMIN),
    "get_service_provider": READER,
}
METERING = noun("metering_label", "metering_label_rule", write=PROJECT_MANAGER, verbs=("create", "delete"))
QUOTAS = {
    "get_quota": PROJECT_MANAGER,
    **rules(("update", "delete"), "quota", text=ADMIN),
}
SHARES = {
    **noun("rbac_policy"),
    **rules(
        ("create", "update"),
        "rbac_policy:target_project",
        text="rule:admin_only or not field:rbac_policy:target_project=*",
    ),
    **rules(("create", "update"), "rbac_policy:target_tenant", text=_NOT_EVERYBODY),
    "restrict_wildcard": (
        "(not field:rbac_policy:target_tenant=* and not field:rbac_policy:target_project=*) or rule:admin_only"
    ),
}
TRUNKS = {
    **noun("trunk", "trunk:tags"),
    "get_subports": PROJECT_READER,
    "add_subports": PROJECT_MEMBER,
    "remove_subports": PROJECT_MEMBER,
}
