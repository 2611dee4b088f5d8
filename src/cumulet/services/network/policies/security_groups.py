"""The rules of security groups, of what their own rules speak of, and of logs."""

from __future__ import annotations

from cumulet.services.network.policies.texts import ADMIN, PROJECT_MANAGER, PROJECT_MEMBER, READER, noun, rules

SECURITY_GROUPS = {
    "admin_or_sg_owner": "rule:context_is_admin or project_id:%(security_group:project_id)s",
    "admin_owner_or_sg_owner": "rule:owner or rule:admin_or_sg_owner",
    "create_default_security_group": (
        "(rule:admin_only) or (rule:service_api) or role:reader and project_id:%(project_id)s"
    ),
    **noun(
        "security_group",
        "security_group:tags",
        read="(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_security_group",
    ),
    "shared_security_group": "field:security_groups:shared=True",
    "get_security_group_rule": "(rule:admin_only) or (role:reader and rule:sg_owner)",
    **rules(("create", "delete"), "security_group_rule", text="(rule:admin_only) or (role:member and rule:sg_owner)"),
    "rule_default_sg": "field:security_group_rules:belongs_to_default_sg=True",
    **noun("default_security_group_rule", read=READER, write=ADMIN, verbs=("create", "delete")),
    **noun("security_groups_default_statefulness", write=PROJECT_MANAGER),
}
ADDRESS_GROUPS = {
    **noun(
        "address_group",
        read="(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_address_groups",
    ),
    "shared_address_groups": "field:address_groups:shared=True",
    "add_addresses": PROJECT_MEMBER,
    "remove_addresses": PROJECT_MEMBER,
}
LOGS = {
    **noun("log", read=PROJECT_MANAGER, write=PROJECT_MANAGER),
    "get_loggable_resource": PROJECT_MANAGER,
}
