"""Rules about places and how much may be in them: domains, projects, limits."""

from __future__ import annotations

from cumulet.services.identity.policies.words import ASSIGNMENT_READER, PROJECT_MANAGER, PROJECT_READER, SYSTEM_READER

PLACES: dict[str, str] = {
    # domain
    "identity:create_domain": "rule:admin_required",
    "identity:delete_domain": "rule:admin_required",
    "identity:get_domain": (
        "rule:admin_required or (role:reader and system_scope:all) or token.domain.id:%(target.domain.id)s"
        " or token.project.domain.id:%(target.domain.id)s"
    ),
    "identity:list_domains": (
        "rule:admin_required or (role:reader and system_scope:all) or (role:reader and domain_id:%(target.domain.id)s)"
    ),
    "identity:update_domain": "rule:admin_required",
    # domain config
    "identity:create_domain_config": "rule:admin_required",
    "identity:delete_domain_config": "rule:admin_required",
    "identity:get_domain_config": SYSTEM_READER,
    "identity:get_domain_config_default": SYSTEM_READER,
    "identity:get_security_compliance_domain_config": "",
    "identity:update_domain_config": "rule:admin_required",
    # project
    "identity:create_project": PROJECT_MANAGER,
    "identity:create_project_tag": PROJECT_MANAGER,
    "identity:delete_project": PROJECT_MANAGER,
    "identity:delete_project_tag": PROJECT_MANAGER,
    "identity:delete_project_tags": PROJECT_MANAGER,
    "identity:get_project": PROJECT_READER,
    "identity:get_project_tag": PROJECT_READER,
    "identity:list_project_tags": PROJECT_READER,
    "identity:list_projects": ASSIGNMENT_READER,
    "identity:list_user_projects": (
        "(rule:admin_required) or (role:reader and system_scope:all)"
        " or (role:reader and domain_id:%(target.user.domain_id)s) or user_id:%(target.user.id)s"
    ),
    "identity:update_project": PROJECT_MANAGER,
    "identity:update_project_tags": PROJECT_MANAGER,
    # limit
    "identity:create_limits": "rule:admin_required",
    "identity:delete_limit": "rule:admin_required",
    "identity:get_limit": (
        "rule:admin_required or (role:reader and system_scope:all) or (domain_id:%(target.limit.domain.id)s"
        " or domain_id:%(target.limit.project.domain_id)s)"
        " or (project_id:%(target.limit.project_id)s and not None:%(target.limit.project_id)s)"
    ),
    "identity:get_limit_model": "",
    "identity:list_limits": "",
    "identity:update_limit": "rule:admin_required",
    # registered limit
    "identity:create_registered_limits": "rule:admin_required",
    "identity:delete_registered_limit": "rule:admin_required",
    "identity:get_registered_limit": "",
    "identity:list_registered_limits": "",
    "identity:update_registered_limit": "rule:admin_required",
}
