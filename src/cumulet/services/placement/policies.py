"""The default rules of the placement service, under the names and with the texts that its policy files use."""

from __future__ import annotations

DEFAULTS: dict[str, str] = {
    # what other rules ask
    "admin_api": "role:admin",
    "admin_or_project_reader_or_service_api": "role:admin or rule:project_reader_api or role:service",
    "admin_or_service_api": "role:admin or role:service",
    "project_reader_api": "role:reader and project_id:%(project_id)s",
    "service_api": "role:service",
    # aggregate
    "placement:resource_providers:aggregates:list": "rule:admin_or_service_api",
    "placement:resource_providers:aggregates:update": "rule:admin_or_service_api",
    # allocation
    "placement:allocations:delete": "rule:admin_or_service_api",
    "placement:allocations:list": "rule:admin_or_service_api",
    "placement:allocations:manage": "rule:admin_or_service_api",
    "placement:allocations:update": "rule:admin_or_service_api",
    "placement:resource_providers:allocations:list": "rule:admin_or_service_api",
    # allocation candidate
    "placement:allocation_candidates:list": "rule:admin_or_service_api",
    # inventory
    "placement:resource_providers:inventories:create": "rule:admin_or_service_api",
    "placement:resource_providers:inventories:delete": "rule:admin_or_service_api",
    "placement:resource_providers:inventories:list": "rule:admin_or_service_api",
    "placement:resource_providers:inventories:show": "rule:admin_or_service_api",
    "placement:resource_providers:inventories:update": "rule:admin_or_service_api",
    # reshaper
    "placement:reshaper:reshape": "rule:service_api",
    # resource class
    "placement:resource_classes:create": "rule:admin_or_service_api",
    "placement:resource_classes:delete": "rule:admin_or_service_api",
    "placement:resource_classes:list": "rule:admin_or_service_api",
    "placement:resource_classes:show": "rule:admin_or_service_api",
    "placement:resource_classes:update": "rule:admin_or_service_api",
    # resource provider
    "placement:resource_providers:create": "rule:admin_or_service_api",
    "placement:resource_providers:delete": "rule:admin_or_service_api",
    "placement:resource_providers:list": "rule:admin_or_service_api",
    "placement:resource_providers:show": "rule:admin_or_service_api",
    "placement:resource_providers:update": "rule:admin_or_service_api",
    # trait
    "placement:resource_providers:traits:delete": "rule:admin_or_service_api",
    "placement:resource_providers:traits:list": "rule:admin_or_service_api",
    "placement:resource_providers:traits:update": "rule:admin_or_service_api",
    "placement:traits:delete": "rule:admin_or_service_api",
    "placement:traits:list": "rule:admin_or_service_api",
    "placement:traits:show": "rule:admin_or_service_api",
    "placement:traits:update": "rule:admin_or_service_api",
    # usage
    "placement:resource_providers:usages": "rule:admin_or_service_api",
    "placement:usages": "rule:admin_or_project_reader_or_service_api",
}
