"""What several rules say."""

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

ASKED: dict[str, str] = {
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
}
"""Rules that other rules ask."""
