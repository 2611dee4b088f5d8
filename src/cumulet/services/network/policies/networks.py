"""The rules of networks, subnets, and where their addresses and numbers come from."""

from __future__ import annotations

from cumulet.services.network.policies.texts import (
    ADMIN,
    PROJECT_MEMBER,
    PROJECT_READER,
    SERVICE,
    SETS,
    noun,
    rules,
)

PROJECT_OR_NETWORK_MEMBER = (
    "role:member and project_id:%(project_id)s or (rule:admin_only) or (role:member and rule:network_owner)"
)

NETWORKS = {
    **noun(
        "network",
        read=(
            "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:service_api or rule:shared"
            " or rule:external or rule:context_is_advsvc"
        ),
    ),
    **noun(
        "network:tags",
        read=(
            "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared or rule:external"
            " or rule:context_is_advsvc"
        ),
    ),
    "external": "field:networks:router:external=True",
    **rules(SETS, "network:is_default", "network:router:external", "network:shared", text=ADMIN),
    **rules(SETS, "network:port_security_enabled", text=PROJECT_MEMBER),
    **noun(
        "network:provider:network_type",
        "network:provider:physical_network",
        "network:provider:segmentation_id",
        "network:segments",
        read=ADMIN,
        write=ADMIN,
        verbs=SETS,
    ),
    **noun("network:pvlan", verbs=SETS),
    "get_network_ip_availability": SERVICE,
    "get_auto_allocated_topology": PROJECT_READER,
    "delete_auto_allocated_topology": PROJECT_MEMBER,
}
SEGMENTS = noun(
    "network_segment_range", "network_segment_range:tags", "segment", "segments_tags", read=ADMIN, write=ADMIN
)
SUBNETS = {
    **rules(("update", "delete"), "subnet", text=PROJECT_OR_NETWORK_MEMBER),
    "create_subnet": "(rule:admin_only) or (role:member and rule:network_owner)",
    "get_subnet": (
        "role:reader and project_id:%(project_id)s or rule:shared or rule:external_network or (rule:admin_only)"
        " or (role:reader and rule:network_owner) or rule:service_api"
    ),
    **noun(
        "subnet:tags",
        read=(
            "role:reader and project_id:%(project_id)s or rule:shared or rule:external_network or (rule:admin_only)"
            " or (role:reader and rule:network_owner)"
        ),
        write=PROJECT_OR_NETWORK_MEMBER,
    ),
    "external_network": "field:subnets:router:external=True",
    **noun("subnet:segment_id", read=ADMIN, write=ADMIN, verbs=SETS),
    "update_subnet:leak_routes": ADMIN,
    # The real service has a stricter text for the types of a subnet, and never asks it.
    "create_subnet:service_types": "rule:create_subnet",
    "update_subnet:service_types": "rule:update_subnet",
}
POOLS = {
    **noun(
        "subnetpool",
        "subnetpool:tags",
        read="(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_subnetpools",
    ),
    "shared_subnetpools": "field:subnetpools:shared=True",
    **rules(SETS, "subnetpool:is_default", text=ADMIN),
    "create_subnetpool:shared": ADMIN,
    "add_prefixes": PROJECT_MEMBER,
    "remove_prefixes": PROJECT_MEMBER,
    "onboard_network_subnets": PROJECT_MEMBER,
    **noun(
        "address_scope",
        read="rule:admin_only or role:reader and project_id:%(project_id)s or rule:shared_address_scopes",
    ),
    "shared_address_scopes": "field:address_scopes:shared=True",
    **rules(SETS, "address_scope:shared", text=ADMIN),
}
