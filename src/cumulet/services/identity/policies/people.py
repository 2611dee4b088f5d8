"""Rules about who people are and how they prove it: users, groups, credentials, tokens."""

from __future__ import annotations

from cumulet.services.identity.policies.words import (
    ASSIGNMENT_READER,
    CREDENTIAL_OWNER,
    CREDENTIAL_READER,
    GROUP_MANAGER,
    GROUP_READER,
    MEMBERSHIP_MANAGER,
    OWNING_READER,
    USER_MANAGER,
)

PEOPLE: dict[str, str] = {
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
    # credential
    "identity:create_credential": CREDENTIAL_OWNER,
    "identity:delete_credential": CREDENTIAL_OWNER,
    "identity:get_credential": CREDENTIAL_READER,
    "identity:list_credentials": CREDENTIAL_READER,
    "identity:update_credential": CREDENTIAL_OWNER,
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
    # S3 tokens
    "identity:s3tokens_validate": "rule:service_or_admin",
    # auth
    "identity:get_auth_catalog": "",
    "identity:get_auth_domains": "",
    "identity:get_auth_projects": "",
    "identity:get_auth_system": "",
    # token
    "identity:check_token": "rule:admin_required or (role:reader and system_scope:all) or rule:token_subject",
    "identity:revoke_token": "rule:admin_required or rule:token_subject",
    "identity:validate_token": (
        "rule:admin_required or (role:reader and system_scope:all) or rule:service_role or rule:token_subject"
    ),
    # token revocation
    "identity:revocation_list": "rule:service_or_admin",
    # revoke event
    "identity:list_revoke_events": "rule:service_or_admin",
}
