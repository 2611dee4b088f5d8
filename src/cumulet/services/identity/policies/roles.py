"""Rules about roles, and who has them where."""

from __future__ import annotations

from cumulet.services.identity.policies.words import GRANT_MANAGER, GRANT_READER, GRANTS_READER, SYSTEM_READER

ROLES: dict[str, str] = {
    # role
    "identity:create_domain_role": "rule:admin_required",
    "identity:create_role": "rule:admin_required",
    "identity:delete_domain_role": "rule:admin_required",
    "identity:delete_role": "rule:admin_required",
    "identity:get_domain_role": SYSTEM_READER,
    "identity:get_role": (
        "(rule:admin_required or (role:reader and system_scope:all))"
        " or (role:manager and rule:domain_managed_target_role)"
    ),
    "identity:list_domain_roles": SYSTEM_READER,
    "identity:list_roles": (
        "(rule:admin_required or (role:reader and system_scope:all)) or (role:manager and not domain_id:None)"
    ),
    "identity:update_domain_role": "rule:admin_required",
    "identity:update_role": "rule:admin_required",
    # implied role
    "identity:check_implied_role": SYSTEM_READER,
    "identity:create_implied_role": "rule:admin_required",
    "identity:delete_implied_role": "rule:admin_required",
    "identity:get_implied_role": SYSTEM_READER,
    "identity:list_implied_roles": SYSTEM_READER,
    "identity:list_role_inference_rules": SYSTEM_READER,
    # grant
    "identity:check_grant": GRANT_READER,
    "identity:check_system_grant_for_group": SYSTEM_READER,
    "identity:check_system_grant_for_user": SYSTEM_READER,
    "identity:create_grant": GRANT_MANAGER,
    "identity:create_system_grant_for_group": "rule:admin_required",
    "identity:create_system_grant_for_user": "rule:admin_required",
    "identity:list_grants": GRANTS_READER,
    "identity:list_system_grants_for_group": SYSTEM_READER,
    "identity:list_system_grants_for_user": SYSTEM_READER,
    "identity:revoke_grant": GRANT_MANAGER,
    "identity:revoke_system_grant_for_group": "rule:admin_required",
    "identity:revoke_system_grant_for_user": "rule:admin_required",
    # role assignment
    "identity:list_role_assignments": (
        "(rule:admin_required) or (role:reader and system_scope:all)"
        " or (role:reader and domain_id:%(target.domain_id)s and not None:%(target.domain_id)s)"
    ),
    "identity:list_role_assignments_for_tree": (
        "(rule:admin_required) or (role:reader and system_scope:all)"
        " or (role:reader and domain_id:%(target.domain_id)s and not None:%(target.domain_id)s)"
    ),
}
