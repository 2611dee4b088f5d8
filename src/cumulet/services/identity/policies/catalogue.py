"""Rules about where services are reached, and the policies kept for them."""

from __future__ import annotations

from cumulet.services.identity.policies.words import SYSTEM_READER

CATALOGUE: dict[str, str] = {
    # service
    "identity:create_service": "rule:admin_required",
    "identity:delete_service": "rule:admin_required",
    "identity:get_service": SYSTEM_READER,
    "identity:list_services": SYSTEM_READER,
    "identity:update_service": "rule:admin_required",
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
    # project endpoint
    "identity:add_endpoint_to_project": "rule:admin_required",
    "identity:check_endpoint_in_project": SYSTEM_READER,
    "identity:list_endpoints_for_project": SYSTEM_READER,
    "identity:list_projects_for_endpoint": SYSTEM_READER,
    "identity:remove_endpoint_from_project": "rule:admin_required",
    # region
    "identity:create_region": "rule:admin_required",
    "identity:delete_region": "rule:admin_required",
    "identity:get_region": "",
    "identity:list_regions": "",
    "identity:update_region": "rule:admin_required",
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
}
