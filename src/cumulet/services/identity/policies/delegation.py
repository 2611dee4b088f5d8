"""Rules about what people lend to others and to programs."""

from __future__ import annotations

from cumulet.services.identity.policies.words import OWNING_READER, SYSTEM_READER, TRUST_PARTY

DELEGATION: dict[str, str] = {
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
    # application credential
    "identity:create_application_credential": "user_id:%(user_id)s",
    "identity:delete_application_credential": "rule:admin_or_owner",
    "identity:get_application_credential": OWNING_READER,
    "identity:list_application_credentials": OWNING_READER,
    # access rule
    "identity:delete_access_rule": "(role:admin and system_scope:all) or user_id:%(target.user.id)s",
    "identity:get_access_rule": "(role:reader and system_scope:all) or user_id:%(target.user.id)s",
    "identity:list_access_rules": "(role:reader and system_scope:all) or user_id:%(target.user.id)s",
    # consumer
    "identity:create_consumer": "rule:admin_required",
    "identity:delete_consumer": "rule:admin_required",
    "identity:get_consumer": SYSTEM_READER,
    "identity:list_consumers": SYSTEM_READER,
    "identity:update_consumer": "rule:admin_required",
    # access token
    "identity:authorize_request_token": "rule:admin_required",
    "identity:delete_access_token": "rule:admin_required",
    "identity:get_access_token": "rule:admin_required",
    "identity:get_access_token_role": "rule:admin_required",
    "identity:list_access_token_roles": "rule:admin_required",
    "identity:list_access_tokens": "rule:admin_required",
}
