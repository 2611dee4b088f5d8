"""The default rules of the identity service, under the names and with the texts that its policy files use.

`target.…` is what the request is about. A token's domain is `domain_id`, or `token.domain.id` in older rules.
"""

from __future__ import annotations

SYSTEM_READER = "rule:admin_required or (role:reader and system_scope:all)"
PROJECT_READER = (
    "(rule:admin_required) or (role:reader and system_scope:all)"
    " or (role:reader and domain_id:%(target.project.domain_id)s and not None:%(target.project.domain_id)s)"
    " or project_id:%(target.project.id)s"
)
PROJECT_MANAGER = (
    "(rule:admin_required)"
    " or (role:manager and domain_id:%(target.project.domain_id)s and not None:%(target.project.domain_id)s)"
)
GROUP_READER = (
    "(rule:admin_required) or (role:reader and system_scope:all)"
    " or (role:reader and domain_id:%(target.group.domain_id)s)"
)
GROUP_MANAGER = "(rule:admin_required) or (role:manager and domain_id:%(target.group.domain_id)s)"
MEMBERSHIP_MANAGER = (
    "(rule:admin_required)"
    " or (role:manager and domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s)"
)
USER_MANAGER = "(rule:admin_required) or (role:manager and token.domain.id:%(target.user.domain_id)s)"
CREDENTIAL_READER = (
    "(rule:admin_required) or (role:reader and system_scope:all) or user_id:%(target.credential.user_id)s"
)
CREDENTIAL_OWNER = "(rule:admin_required) or user_id:%(target.credential.user_id)s"
OWNING_READER = "(rule:admin_required) or (role:reader and system_scope:all) or rule:owner"
TRUST_PARTY = (
    "(rule:admin_required) or (role:reader and system_scope:all or user_id:%(target.trust.trustor_user_id)s"
    " or user_id:%(target.trust.trustee_user_id)s)"
)
ASSIGNMENT_READER = (
    "(rule:admin_required) or (role:reader and system_scope:all) or (role:reader and domain_id:%(target.domain_id)s)"
)


def _grants(role: str) -> str:
    """This role in the domain of him who is granted something and in that of the place where it is granted."""
    return " or ".join(
        f"(role:{role} and domain_id:%(target.{actor}.domain_id)s and domain_id:%({place})s)"
        for actor in ("user", "group")
        for place in ("target.project.domain_id", "target.domain.id")
    )


OWN_OR_GLOBAL_ROLE = "(domain_id:%(target.role.domain_id)s or None:%(target.role.domain_id)s)"
GRANTS_READER = f"(rule:admin_required) or ((role:reader and system_scope:all) or {_grants('reader')})"
GRANT_READER = (
    f"(rule:admin_required) or ((role:reader and system_scope:all) or ({_grants('reader')}) and {OWN_OR_GLOBAL_ROLE})"
)
GRANT_MANAGER = (
    f"(rule:admin_required) or ({_grants('admin')}) and {OWN_OR_GLOBAL_ROLE}"
    f" or ({_grants('manager')}) and rule:domain_managed_target_role"
)

DEFAULTS: dict[str, str] = {
    # what other rules ask
    "admin_or_owner": "rule:admin_required or rule:owner",
    "admin_or_token_subject": "rule:admin_required or rule:token_subject",
    "admin_required": "role:admin or is_admin:1",
    "domain_managed_target_role": (
        "'manager':%(target.role.name)s or 'member':%(target.role.name)s or 'reader':%(target.role.name)s"
    ),
    "owner": "user_id:%(user_id)s",
    "service_admin_or_token_subject": "rule:service_or_admin or rule:token_subject",
    "service_or_admin": "rule:admin_required or rule:service_role",
    "service_role": "role:service",
    "token_subject": "user_id:%(target.token.user_id)s",
    # access rule
    "identity:delete_access_rule": "(role:admin and system_scope:all) or user_id:%(target.user.id)s",
    "identity:get_access_rule": "(role:reader and system_scope:all) or user_id:%(target.user.id)s",
    "identity:list_access_rules": "(role:reader and system_scope:all) or user_id:%(target.user.id)s",
    # access token
    "identity:authorize_request_token": "rule:admin_required",
    "identity:delete_access_token": "rule:admin_required",
    "identity:get_access_token": "rule:admin_required",
    "identity:get_access_token_role": "rule:admin_required",
    "identity:list_access_token_roles": "rule:admin_required",
    "identity:list_access_tokens": "rule:admin_required",
    # application credential
    "identity:create_application_credential": "user_id:%(user_id)s",
    "identity:delete_application_credential": "rule:admin_or_owner",
    "identity:get_application_credential": OWNING_READER,
    "identity:list_application_credentials": OWNING_READER,
    # auth
    "identity:get_auth_catalog": "",
    "identity:get_auth_domains": "",
    "identity:get_auth_projects": "",
    "identity:get_auth_system": "",
    # consumer
    "identity:create_consumer": "rule:admin_required",
    "identity:delete_consumer": "rule:admin_required",
    "identity:get_consumer": SYSTEM_READER,
    "identity:list_consumers": SYSTEM_READER,
    "identity:update_consumer": "rule:admin_required",
    # credential
    "identity:create_credential": CREDENTIAL_OWNER,
    "identity:delete_credential": CREDENTIAL_OWNER,
    "identity:get_credential": CREDENTIAL_READER,
    "identity:list_credentials": CREDENTIAL_READER,
    "identity:update_credential": CREDENTIAL_OWNER,
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
    # EC2 credential
    "identity:ec2_create_credential": (
        "(rule:admin_required) or (role:member and user_id:%(target.credential.user_id)s)"
    ),
    "identity:ec2_delete_credential": (
        "(rule:admin_required) or (role:member and user_id:%(target.credential.user_id)s)"
    ),
    "identity:ec2_get_credential": CREDENTIAL_READER,
    "identity:ec2_list_credentials": OWNING_READER,
    # EC2 tokens
    "identity:ec2tokens_validate": "rule:service_or_admin",
    # endpoint
    "identity:create_endpoint": "rule:admin_required",
    "identity:delete_endpoint": "rule:admin_required",
    "identity:get_endpoint": SYSTEM_READER,
    "identity:list_endpoints": SYSTEM_READER,
    "identity:update_endpoint": "rule:admin_required",
    # endpoint group
    "identity:add_endpoint_group_to_project": "rule:admin_required",
    "identity:create_endpoint_group": "rule:admin_required",
    "identity:delete_endpoint_group": "rule:admin_required",
    "identity:get_endpoint_group": SYSTEM_READER,
    "identity:get_endpoint_group_in_project": SYSTEM_READER,
    "identity:list_endpoint_groups": SYSTEM_READER,
    "identity:list_endpoint_groups_for_project": SYSTEM_READER,
    "identity:list_endpoints_associated_with_endpoint_group": SYSTEM_READER,
    "identity:list_projects_associated_with_endpoint_group": SYSTEM_READER,
    "identity:remove_endpoint_group_from_project": "rule:admin_required",
    "identity:update_endpoint_group": "rule:admin_required",
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
    # group
    "identity:add_user_to_group": MEMBERSHIP_MANAGER,
    "identity:check_user_in_group": (
        "(rule:admin_required) or (role:reader and system_scope:all)"
        " or (role:reader and domain_id:%(target.group.domain_id)s and domain_id:%(target.user.domain_id)s)"
    ),
    "identity:create_group": GROUP_MANAGER,
    "identity:delete_group": GROUP_MANAGER,
    "identity:get_group": GROUP_READER,
    "identity:list_groups": GROUP_READER,
    "identity:list_groups_for_user": (
        "(rule:admin_required) or (role:reader and system_scope:all)"
        " or (role:reader and domain_id:%(target.user.domain_id)s) or user_id:%(user_id)s"
    ),
    "identity:list_users_in_group": GROUP_READER,
    "identity:remove_user_from_group": MEMBERSHIP_MANAGER,
    "identity:update_group": GROUP_MANAGER,
    # identity provider
    "identity:create_identity_provider": "rule:admin_required",
    "identity:delete_identity_provider": "rule:admin_required",
    "identity:get_identity_provider": SYSTEM_READER,
    "identity:list_identity_providers": SYSTEM_READER,
    "identity:update_identity_provider": "rule:admin_required",
    # implied role
    "identity:check_implied_role": SYSTEM_READER,
    "identity:create_implied_role": "rule:admin_required",
    "identity:delete_implied_role": "rule:admin_required",
    "identity:get_implied_role": SYSTEM_READER,
    "identity:list_implied_roles": SYSTEM_READER,
    "identity:list_role_inference_rules": SYSTEM_READER,
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
    # mapping
    "identity:create_mapping": "rule:admin_required",
    "identity:delete_mapping": "rule:admin_required",
    "identity:get_mapping": SYSTEM_READER,
    "identity:list_mappings": SYSTEM_READER,
    "identity:update_mapping": "rule:admin_required",
    # policy
    "identity:create_policy": "rule:admin_required",
    "identity:delete_policy": "rule:admin_required",
    "identity:get_policy": SYSTEM_READER,
    "identity:list_policies": SYSTEM_READER,
    "identity:update_policy": "rule:admin_required",
    # policy association
    "identity:check_policy_association_for_endpoint": SYSTEM_READER,
    "identity:check_policy_association_for_region_and_service": SYSTEM_READER,
    "identity:check_policy_association_for_service": SYSTEM_READER,
    "identity:create_policy_association_for_endpoint": "rule:admin_required",
    "identity:create_policy_association_for_region_and_service": "rule:admin_required",
    "identity:create_policy_association_for_service": "rule:admin_required",
    "identity:delete_policy_association_for_endpoint": "rule:admin_required",
    "identity:delete_policy_association_for_region_and_service": "rule:admin_required",
    "identity:delete_policy_association_for_service": "rule:admin_required",
    "identity:get_policy_for_endpoint": SYSTEM_READER,
    "identity:list_endpoints_for_policy": SYSTEM_READER,
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
    # project endpoint
    "identity:add_endpoint_to_project": "rule:admin_required",
    "identity:check_endpoint_in_project": SYSTEM_READER,
    "identity:list_endpoints_for_project": SYSTEM_READER,
    "identity:list_projects_for_endpoint": SYSTEM_READER,
    "identity:remove_endpoint_from_project": "rule:admin_required",
    # protocol
    "identity:create_protocol": "rule:admin_required",
    "identity:delete_protocol": "rule:admin_required",
    "identity:get_protocol": SYSTEM_READER,
    "identity:list_protocols": SYSTEM_READER,
    "identity:update_protocol": "rule:admin_required",
    # region
    "identity:create_region": "rule:admin_required",
    "identity:delete_region": "rule:admin_required",
    "identity:get_region": "",
    "identity:list_regions": "",
    "identity:update_region": "rule:admin_required",
    # registered limit
    "identity:create_registered_limits": "rule:admin_required",
    "identity:delete_registered_limit": "rule:admin_required",
    "identity:get_registered_limit": "",
    "identity:list_registered_limits": "",
    "identity:update_registered_limit": "rule:admin_required",
    # revoke event
    "identity:list_revoke_events": "rule:service_or_admin",
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
    # role assignment
    "identity:list_role_assignments": (
        "(rule:admin_required) or (role:reader and system_scope:all)"
        " or (role:reader and domain_id:%(target.domain_id)s and not None:%(target.domain_id)s)"
    ),
    "identity:list_role_assignments_for_tree": (
        "(rule:admin_required) or (role:reader and system_scope:all)"
        " or (role:reader and domain_id:%(target.domain_id)s and not None:%(target.domain_id)s)"
    ),
    # S3 tokens
    "identity:s3tokens_validate": "rule:service_or_admin",
    # service
    "identity:create_service": "rule:admin_required",
    "identity:delete_service": "rule:admin_required",
    "identity:get_service": SYSTEM_READER,
    "identity:list_services": SYSTEM_READER,
    "identity:update_service": "rule:admin_required",
    # service provider
    "identity:create_service_provider": "rule:admin_required",
    "identity:delete_service_provider": "rule:admin_required",
    "identity:get_service_provider": SYSTEM_READER,
    "identity:list_service_providers": SYSTEM_READER,
    "identity:update_service_provider": "rule:admin_required",
    # token
    "identity:check_token": "rule:admin_required or (role:reader and system_scope:all) or rule:token_subject",
    "identity:revoke_token": "rule:admin_required or rule:token_subject",
    "identity:validate_token": (
        "rule:admin_required or (role:reader and system_scope:all) or rule:service_role or rule:token_subject"
    ),
    # token revocation
    "identity:revocation_list": "rule:service_or_admin",
    # trust
    "identity:create_trust": "user_id:%(target.trust.trustor_user_id)s",
    "identity:delete_trust": "rule:admin_required or user_id:%(target.trust.trustor_user_id)s",
    "identity:get_role_for_trust": TRUST_PARTY,
    "identity:get_trust": TRUST_PARTY,
    "identity:list_roles_for_trust": TRUST_PARTY,
    "identity:list_trusts": SYSTEM_READER,
    "identity:list_trusts_for_trustee": (
        "(rule:admin_required) or (role:reader and system_scope:all or user_id:%(target.trust.trustee_user_id)s)"
    ),
    "identity:list_trusts_for_trustor": (
        "(rule:admin_required) or (role:reader and system_scope:all or user_id:%(target.trust.trustor_user_id)s)"
    ),
    # user
    "identity:create_user": USER_MANAGER,
    "identity:delete_user": USER_MANAGER,
    "identity:get_user": (
        "(rule:admin_required) or (role:reader and system_scope:all)"
        " or (role:reader and token.domain.id:%(target.user.domain_id)s) or user_id:%(target.user.id)s"
    ),
    "identity:list_domains_for_user": "",
    "identity:list_projects_for_user": "",
    "identity:list_users": ASSIGNMENT_READER,
    "identity:revoke_tokens_for_user": "rule:admin_or_owner",
    "identity:update_user": USER_MANAGER,
}

_OPEN_TO_DOMAINS = """
    add_user_to_group check_grant check_token check_user_in_group create_credential create_grant create_group
    create_project create_project_tag create_user delete_credential delete_group delete_project delete_project_tag
    delete_project_tags delete_user ec2tokens_validate get_auth_catalog get_auth_domains get_auth_projects
    get_auth_system get_credential get_domain get_group get_limit get_limit_model get_project get_project_tag
    get_region get_registered_limit get_role get_security_compliance_domain_config get_user list_credentials
    list_domains list_domains_for_user list_grants list_groups list_groups_for_user list_limits list_project_tags
    list_projects list_projects_for_user list_regions list_registered_limits list_role_assignments
    list_role_assignments_for_tree list_roles list_user_projects list_users list_users_in_group
    remove_user_from_group revoke_grant revoke_token revoke_tokens_for_user s3tokens_validate update_credential
    update_group update_project update_project_tags update_user validate_token
"""
"""What somebody may do, or be refused by its text, whose token is for a domain. All else is about the whole cloud, or
about what somebody has in a project: there a role in a domain counts for nothing."""
CLOSED_TO_DOMAINS = frozenset(rule for rule in DEFAULTS if rule.startswith("identity:")) - {
    f"identity:{verb}" for verb in _OPEN_TO_DOMAINS.split()
}
