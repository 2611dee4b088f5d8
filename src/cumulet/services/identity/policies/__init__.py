"""The default rules of the identity service, under the names and with the texts that its policy files use.

`target.…` is what the request is about. A token's domain is `domain_id`, or `token.domain.id` in older rules.
"""

from __future__ import annotations

from cumulet.services.identity.policies.catalogue import CATALOGUE
from cumulet.services.identity.policies.delegation import DELEGATION
from cumulet.services.identity.policies.federation import FEDERATION
from cumulet.services.identity.policies.people import PEOPLE
from cumulet.services.identity.policies.places import PLACES
from cumulet.services.identity.policies.roles import ROLES
from cumulet.services.identity.policies.words import ASKED

DEFAULTS: dict[str, str] = ASKED | PEOPLE | PLACES | ROLES | CATALOGUE | DELEGATION | FEDERATION

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
