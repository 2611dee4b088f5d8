"""Rules about those who vouch for people elsewhere, and the clouds that believe this one."""

from __future__ import annotations

from cumulet.services.identity.policies.words import SYSTEM_READER

FEDERATION: dict[str, str] = {
    # identity provider
    "identity:create_identity_provider": "rule:admin_required",
    "identity:delete_identity_provider": "rule:admin_required",
    "identity:get_identity_provider": SYSTEM_READER,
    "identity:list_identity_providers": SYSTEM_READER,
    "identity:update_identity_provider": "rule:admin_required",
    # protocol
    "identity:create_protocol": "rule:admin_required",
    "identity:delete_protocol": "rule:admin_required",
    "identity:get_protocol": SYSTEM_READER,
    "identity:list_protocols": SYSTEM_READER,
    "identity:update_protocol": "rule:admin_required",
    # mapping
    "identity:create_mapping": "rule:admin_required",
    "identity:delete_mapping": "rule:admin_required",
    "identity:get_mapping": SYSTEM_READER,
    "identity:list_mappings": SYSTEM_READER,
    "identity:update_mapping": "rule:admin_required",
    # service provider
    "identity:create_service_provider": "rule:admin_required",
    "identity:delete_service_provider": "rule:admin_required",
    "identity:get_service_provider": SYSTEM_READER,
    "identity:list_service_providers": SYSTEM_READER,
    "identity:update_service_provider": "rule:admin_required",
}
