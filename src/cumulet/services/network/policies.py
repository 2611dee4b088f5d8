"""The default rules of the network service, under the names and with the texts that its policy files use.

`create_port:fixed_ips` is asked besides `create_port` where a request sets that field. `ext_parent` is the resource
that holds another: a floating IP its port forwardings, a policy its rules. `field:` looks at the resource itself.
"""

from __future__ import annotations

PROJECT_READER = "(rule:admin_only) or (role:reader and project_id:%(project_id)s)"
PROJECT_MEMBER = "(rule:admin_only) or (role:member and project_id:%(project_id)s)"
PROJECT_MANAGER = "(rule:admin_only) or (role:manager and project_id:%(project_id)s)"
PARENT_READER = "(rule:admin_only) or (role:reader and rule:ext_parent_owner)"
PARENT_MEMBER = "(rule:admin_only) or (role:member and rule:ext_parent_owner)"
PARENT_MANAGER = "(rule:admin_only) or (role:manager and rule:ext_parent_owner)"
SERVICE = "(rule:admin_only) or (rule:service_api)"
SERVICE_OR_NETWORK_MEMBER = "(rule:admin_only) or (rule:service_api) or role:member and rule:network_owner"
NETWORK_MEMBER_OR_SERVICE = "(rule:admin_only) or (role:member and rule:network_owner) or rule:service_api"
SHARED_NETWORK_MEMBER = "(rule:admin_only) or (rule:service_api) or role:member and rule:network_owner or rule:shared"
PROJECT_OR_NETWORK_MEMBER = (
    "role:member and project_id:%(project_id)s or (rule:admin_only) or (role:member and rule:network_owner)"
)

DEFAULTS: dict[str, str] = {
    # what other rules ask
    "admin_only": "rule:context_is_admin",
    "admin_or_ext_parent_owner": "rule:context_is_admin or project_id:%(ext_parent:project_id)s",
    "admin_or_network_owner": "rule:context_is_admin or project_id:%(network:project_id)s",
    "admin_or_owner": "rule:context_is_admin or rule:owner",
    "admin_owner_or_network_owner": "rule:owner or rule:admin_or_network_owner",
    "context_is_admin": "role:admin",
    "context_is_advsvc": "role:advsvc",
    "context_with_global_access": "!",
    "default": "rule:admin_or_owner",
    "ext_parent_owner": "project_id:%(ext_parent:project_id)s",
    "network_owner": "project_id:%(network:project_id)s",
    "owner": "project_id:%(project_id)s",
    "regular_user": "",
    "service_api": "role:service",
    "sg_owner": "project_id:%(security_group:project_id)s",
    "shared": "field:networks:shared=True",
    # address group
    "add_addresses": PROJECT_MEMBER,
    "create_address_group": PROJECT_MEMBER,
    "delete_address_group": PROJECT_MEMBER,
    "get_address_group": (
        "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_address_groups"
    ),
    "remove_addresses": PROJECT_MEMBER,
    "shared_address_groups": "field:address_groups:shared=True",
    "update_address_group": PROJECT_MEMBER,
    # address scope
    "create_address_scope": PROJECT_MEMBER,
    "create_address_scope:shared": "rule:admin_only",
    "delete_address_scope": PROJECT_MEMBER,
    "get_address_scope": "rule:admin_only or role:reader and project_id:%(project_id)s or rule:shared_address_scopes",
    "shared_address_scopes": "field:address_scopes:shared=True",
    "update_address_scope": PROJECT_MEMBER,
    "update_address_scope:shared": "rule:admin_only",
    # agent
    "create_agent": "rule:admin_only",
    "create_dhcp-network": "rule:admin_only",
    "create_l3-router": "rule:admin_only",
    "delete_agent": "rule:admin_only",
    "delete_dhcp-network": "rule:admin_only",
    "delete_l3-router": "rule:admin_only",
    "get_agent": "rule:admin_only",
    "get_dhcp-agents": "rule:admin_only",
    "get_dhcp-networks": "rule:admin_only",
    "get_l3-agents": "rule:admin_only",
    "get_l3-routers": "rule:admin_only",
    "update_agent": "rule:admin_only",
    "update_l3-router": "rule:admin_only",
    # auto allocated topology
    "delete_auto_allocated_topology": PROJECT_MEMBER,
    "get_auto_allocated_topology": PROJECT_READER,
    # availability zone
    "get_availability_zone": "role:reader",
    # default security group rules
    "create_default_security_group_rule": "rule:admin_only",
    "delete_default_security_group_rule": "rule:admin_only",
    "get_default_security_group_rule": "role:reader",
    # EVPN
    "create_router:evpn_vni": "rule:admin_only",
    "get_router:evpn_vni": PROJECT_READER,
    # flavor
    "create_flavor": "rule:admin_only",
    "create_flavor_service_profile": "rule:admin_only",
    "create_service_profile": "rule:admin_only",
    "delete_flavor": "rule:admin_only",
    "delete_flavor_service_profile": "rule:admin_only",
    "delete_service_profile": "rule:admin_only",
    "get_flavor": "role:reader",
    "get_flavor_service_profile": PROJECT_READER,
    "get_service_profile": "rule:admin_only",
    "update_flavor": "rule:admin_only",
    "update_service_profile": "rule:admin_only",
    # floating IP
    "create_floatingip": PROJECT_MEMBER,
    "create_floatingip:floating_ip_address": PROJECT_MANAGER,
    "create_floatingip:router_id": PROJECT_MEMBER,
    "create_floatingip:tags": PROJECT_MEMBER,
    "delete_floatingip": PROJECT_MEMBER,
    "delete_floatingip:tags": PROJECT_MEMBER,
    "get_floatingip": PROJECT_READER,
    "get_floatingip:tags": PROJECT_READER,
    "update_floatingip": PROJECT_MEMBER,
    "update_floatingip:router_id": PROJECT_MEMBER,
    "update_floatingip:tags": PROJECT_MEMBER,
    # floating IP pool
    "get_floatingip_pool": PROJECT_READER,
    # floating IP port forwarding
    "create_floatingip_port_forwarding": PARENT_MEMBER,
    "delete_floatingip_port_forwarding": PARENT_MEMBER,
    "get_floatingip_port_forwarding": PARENT_READER,
    "update_floatingip_port_forwarding": PARENT_MEMBER,
    # router conntrack helper
    "create_router_conntrack_helper": PARENT_MEMBER,
    "delete_router_conntrack_helper": PARENT_MEMBER,
    "get_router_conntrack_helper": PARENT_READER,
    "update_router_conntrack_helper": PARENT_MEMBER,
    # local IP
    "create_local_ip": PROJECT_MEMBER,
    "delete_local_ip": PROJECT_MEMBER,
    "get_local_ip": PROJECT_READER,
    "update_local_ip": PROJECT_MEMBER,
    # local IP association
    "create_local_ip_port_association": PARENT_MEMBER,
    "delete_local_ip_port_association": PARENT_MEMBER,
    "get_local_ip_port_association": PARENT_READER,
    # logging
    "create_log": PROJECT_MANAGER,
    "delete_log": PROJECT_MANAGER,
    "get_log": PROJECT_MANAGER,
    "get_loggable_resource": PROJECT_MANAGER,
    "update_log": PROJECT_MANAGER,
    # metering
    "create_metering_label": PROJECT_MANAGER,
    "create_metering_label_rule": PROJECT_MANAGER,
    "delete_metering_label": PROJECT_MANAGER,
    "delete_metering_label_rule": PROJECT_MANAGER,
    "get_metering_label": PROJECT_READER,
    "get_metering_label_rule": PROJECT_READER,
    # NDP proxy
    "create_ndp_proxy": PROJECT_MEMBER,
    "delete_ndp_proxy": PROJECT_MEMBER,
    "get_ndp_proxy": PROJECT_READER,
    "update_ndp_proxy": PROJECT_MEMBER,
    # network
    "create_network": PROJECT_MEMBER,
    "create_network:is_default": "rule:admin_only",
    "create_network:port_security_enabled": PROJECT_MEMBER,
    "create_network:provider:network_type": "rule:admin_only",
    "create_network:provider:physical_network": "rule:admin_only",
    "create_network:provider:segmentation_id": "rule:admin_only",
    "create_network:router:external": "rule:admin_only",
    "create_network:segments": "rule:admin_only",
    "create_network:shared": "rule:admin_only",
    "create_network:tags": PROJECT_MEMBER,
    "delete_network": PROJECT_MEMBER,
    "delete_network:tags": PROJECT_MEMBER,
    "external": "field:networks:router:external=True",
    "get_network": (
        "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:service_api or rule:shared"
        " or rule:external or rule:context_is_advsvc"
    ),
    "get_network:provider:network_type": "rule:admin_only",
    "get_network:provider:physical_network": "rule:admin_only",
    "get_network:provider:segmentation_id": "rule:admin_only",
    "get_network:segments": "rule:admin_only",
    "get_network:tags": (
        "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared or rule:external"
        " or rule:context_is_advsvc"
    ),
    "update_network": PROJECT_MEMBER,
    "update_network:is_default": "rule:admin_only",
    "update_network:port_security_enabled": PROJECT_MEMBER,
    "update_network:provider:network_type": "rule:admin_only",
    "update_network:provider:physical_network": "rule:admin_only",
    "update_network:provider:segmentation_id": "rule:admin_only",
    "update_network:router:external": "rule:admin_only",
    "update_network:segments": "rule:admin_only",
    "update_network:shared": "rule:admin_only",
    "update_network:tags": PROJECT_MEMBER,
    # network IP availability
    "get_network_ip_availability": SERVICE,
    # network segment range
    "create_network_segment_range": "rule:admin_only",
    "create_network_segment_range:tags": "rule:admin_only",
    "delete_network_segment_range": "rule:admin_only",
    "delete_network_segment_range:tags": "rule:admin_only",
    "get_network_segment_range": "rule:admin_only",
    "get_network_segment_range:tags": "rule:admin_only",
    "update_network_segment_range": "rule:admin_only",
    "update_network_segment_range:tags": "rule:admin_only",
    # port
    "admin_or_data_plane_int": "rule:context_is_admin or role:data_plane_integrator",
    "baremetal_device": "field:port:device_owner=~^baremetal:",
    "compute_device": "field:port:device_owner=~^compute:",
    "create_port": SHARED_NETWORK_MEMBER,
    "create_port:allowed_address_pairs": NETWORK_MEMBER_OR_SERVICE,
    "create_port:allowed_address_pairs:ip_address": NETWORK_MEMBER_OR_SERVICE,
    "create_port:allowed_address_pairs:mac_address": NETWORK_MEMBER_OR_SERVICE,
    "create_port:binding:host_id": SERVICE,
    "create_port:binding:profile": "rule:service_api",
    "create_port:binding:vnic_type": (
        "(rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:service_api"
    ),
    "create_port:device_id": "(rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:service_api",
    "create_port:device_owner": (
        "not rule:network_device or (rule:admin_only) or (rule:service_api) or role:member and rule:network_owner"
    ),
    "create_port:fixed_ips": SHARED_NETWORK_MEMBER,
    "create_port:fixed_ips:ip_address": SERVICE_OR_NETWORK_MEMBER,
    "create_port:fixed_ips:subnet_id": SHARED_NETWORK_MEMBER,
    "create_port:hints": "rule:admin_only",
    "create_port:mac_address": SERVICE_OR_NETWORK_MEMBER,
    "create_port:port_security_enabled": SERVICE_OR_NETWORK_MEMBER,
    "create_port:tags": "(rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:context_is_advsvc",
    "create_port:trusted": "rule:admin_only",
    "delete_port": (
        "(rule:admin_only) or (rule:service_api) or (service_roles:service and (role:member and rule:network_owner"
        " or role:member and project_id:%(project_id)s))"
        " or (not rule:compute_device and not rule:baremetal_device and not rule:manila_device and (role:member"
        " and rule:network_owner"
        " or role:member and project_id:%(project_id)s))"
    ),
    "delete_port:tags": (
        "rule:context_is_advsvc or role:member and project_id:%(project_id)s or (rule:admin_only)"
        " or (role:member and rule:network_owner)"
    ),
    "get_port": (
        "(rule:admin_only) or (rule:service_api) or role:reader and rule:network_owner"
        " or role:reader and project_id:%(project_id)s"
    ),
    "get_port:binding:host_id": SERVICE,
    "get_port:binding:profile": SERVICE,
    "get_port:binding:vif_details": SERVICE,
    "get_port:binding:vif_type": SERVICE,
    "get_port:hints": "rule:admin_only",
    "get_port:resource_request": "rule:admin_only",
    "get_port:tags": (
        "rule:context_is_advsvc or (rule:admin_only) or (role:reader and rule:network_owner)"
        " or role:reader and project_id:%(project_id)s"
    ),
    "get_port:trusted": "rule:admin_only",
    "manila_device": "field:port:device_owner=~^manila:",
    "network_device": "field:port:device_owner=~^network:",
    "update_port": "(rule:admin_only) or (rule:service_api) or role:member and project_id:%(project_id)s",
    "update_port:allowed_address_pairs": NETWORK_MEMBER_OR_SERVICE,
    "update_port:allowed_address_pairs:ip_address": NETWORK_MEMBER_OR_SERVICE,
    "update_port:allowed_address_pairs:mac_address": NETWORK_MEMBER_OR_SERVICE,
    "update_port:binding:host_id": SERVICE,
    "update_port:binding:profile": "rule:service_api",
    "update_port:binding:vnic_type": (
        "(rule:admin_only) or (rule:service_api) or role:member and project_id:%(project_id)s"
    ),
    "update_port:data_plane_status": "rule:admin_only or role:data_plane_integrator",
    "update_port:device_id": "(rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:service_api",
    "update_port:device_owner": (
        "not rule:network_device or (rule:admin_only) or (rule:service_api) or role:member and rule:network_owner"
    ),
    "update_port:fixed_ips": SERVICE_OR_NETWORK_MEMBER,
    "update_port:fixed_ips:ip_address": SERVICE_OR_NETWORK_MEMBER,
    "update_port:fixed_ips:subnet_id": SHARED_NETWORK_MEMBER,
    "update_port:hints": "rule:admin_only",
    "update_port:mac_address": "(rule:admin_only) or (rule:service_api) or role:manager and rule:network_owner",
    "update_port:port_security_enabled": SERVICE_OR_NETWORK_MEMBER,
    "update_port:tags": "(rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:context_is_advsvc",
    "update_port:trusted": "rule:admin_only",
    # port binding
    "activate": "rule:service_api",
    "create_port_binding": "rule:service_api",
    "delete_port_binding": "rule:service_api",
    "get_port_binding": SERVICE,
    # PVLAN
    "create_network:pvlan": PROJECT_MEMBER,
    "create_port:pvlan_community": PROJECT_MEMBER,
    "create_port:pvlan_type": PROJECT_MEMBER,
    "get_network:pvlan": PROJECT_READER,
    "get_port:pvlan_community": PROJECT_READER,
    "get_port:pvlan_type": PROJECT_READER,
    "update_network:pvlan": PROJECT_MEMBER,
    "update_port:pvlan_community": PROJECT_MEMBER,
    "update_port:pvlan_type": PROJECT_MEMBER,
    # QoS
    "create_policy": PROJECT_MANAGER,
    "create_policy:tags": PROJECT_MANAGER,
    "create_policy_bandwidth_limit_rule": PARENT_MANAGER,
    "create_policy_dscp_marking_rule": PARENT_MANAGER,
    "create_policy_minimum_bandwidth_rule": PARENT_MANAGER,
    "create_policy_minimum_packet_rate_rule": PARENT_MANAGER,
    "create_policy_packet_rate_limit_rule": PARENT_MANAGER,
    "delete_alias_bandwidth_limit_rule": PARENT_MANAGER,
    "delete_alias_dscp_marking_rule": PARENT_MANAGER,
    "delete_alias_minimum_bandwidth_rule": PARENT_MANAGER,
    "delete_alias_minimum_packet_rate_rule": "rule:delete_policy_minimum_packet_rate_rule",
    "delete_policy": PROJECT_MANAGER,
    "delete_policy:tags": PROJECT_MANAGER,
    "delete_policy_bandwidth_limit_rule": PARENT_MANAGER,
    "delete_policy_dscp_marking_rule": PARENT_MANAGER,
    "delete_policy_minimum_bandwidth_rule": PARENT_MANAGER,
    "delete_policy_minimum_packet_rate_rule": PARENT_MANAGER,
    "delete_policy_packet_rate_limit_rule": PARENT_MANAGER,
    "get_alias_bandwidth_limit_rule": PARENT_READER,
    "get_alias_dscp_marking_rule": PARENT_READER,
    "get_alias_minimum_bandwidth_rule": PARENT_READER,
    "get_alias_minimum_packet_rate_rule": "rule:get_policy_minimum_packet_rate_rule",
    "get_policy": "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_qos_policy",
    "get_policy:tags": "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_qos_policy",
    "get_policy_bandwidth_limit_rule": PARENT_READER,
    "get_policy_dscp_marking_rule": PARENT_READER,
    "get_policy_minimum_bandwidth_rule": PARENT_READER,
    "get_policy_minimum_packet_rate_rule": PARENT_READER,
    "get_policy_packet_rate_limit_rule": PARENT_READER,
    "get_rule_type": "role:reader",
    "shared_qos_policy": "field:policies:shared=True",
    "update_alias_bandwidth_limit_rule": PARENT_MANAGER,
    "update_alias_dscp_marking_rule": PARENT_MANAGER,
    "update_alias_minimum_bandwidth_rule": PARENT_MANAGER,
    "update_alias_minimum_packet_rate_rule": "rule:update_policy_minimum_packet_rate_rule",
    "update_policy": PROJECT_MANAGER,
    "update_policy:tags": PROJECT_MANAGER,
    "update_policy_bandwidth_limit_rule": PARENT_MANAGER,
    "update_policy_dscp_marking_rule": PARENT_MANAGER,
    "update_policy_minimum_bandwidth_rule": PARENT_MANAGER,
    "update_policy_minimum_packet_rate_rule": PARENT_MANAGER,
    "update_policy_packet_rate_limit_rule": PARENT_MANAGER,
    # quota
    "delete_quota": "rule:admin_only",
    "get_quota": PROJECT_MANAGER,
    "update_quota": "rule:admin_only",
    # RBAC
    "create_rbac_policy": PROJECT_MEMBER,
    "create_rbac_policy:target_project": "rule:admin_only or not field:rbac_policy:target_project=*",
    "create_rbac_policy:target_tenant": (
        "rule:admin_only or (not field:rbac_policy:target_tenant=* and not field:rbac_policy:target_project=*)"
    ),
    "delete_rbac_policy": PROJECT_MEMBER,
    "get_rbac_policy": PROJECT_READER,
    "restrict_wildcard": (
        "(not field:rbac_policy:target_tenant=* and not field:rbac_policy:target_project=*) or rule:admin_only"
    ),
    "update_rbac_policy": PROJECT_MEMBER,
    "update_rbac_policy:target_project": "rule:admin_only or not field:rbac_policy:target_project=*",
    "update_rbac_policy:target_tenant": (
        "rule:admin_only or (not field:rbac_policy:target_tenant=* and not field:rbac_policy:target_project=*)"
    ),
    # router
    "add_external_gateways": PROJECT_MEMBER,
    "add_external_gateways:external_gateways": PROJECT_MEMBER,
    "add_external_gateways:external_gateways:enable_snat": "rule:admin_only",
    "add_external_gateways:external_gateways:external_fixed_ips": "rule:admin_only",
    "add_external_gateways:external_gateways:network_id": PROJECT_MEMBER,
    "add_extraroutes": PROJECT_MEMBER,
    "add_router_interface": PROJECT_MEMBER,
    "create_router": PROJECT_MEMBER,
    "create_router:distributed": "rule:admin_only",
    "create_router:enable_default_route_bfd": "rule:admin_only",
    "create_router:enable_default_route_ecmp": "rule:admin_only",
    "create_router:external_gateway_info": PROJECT_MEMBER,
    "create_router:external_gateway_info:enable_snat": "rule:admin_only",
    "create_router:external_gateway_info:external_fixed_ips": "rule:admin_only",
    "create_router:external_gateway_info:network_id": PROJECT_MEMBER,
    "create_router:ha": "rule:admin_only",
    "create_router:tags": PROJECT_MEMBER,
    "delete_router": PROJECT_MEMBER,
    "delete_router:tags": PROJECT_MEMBER,
    "get_router": PROJECT_READER,
    "get_router:distributed": "rule:admin_only",
    "get_router:ha": "rule:admin_only",
    "get_router:tags": PROJECT_READER,
    "remove_external_gateways": PROJECT_MEMBER,
    "remove_external_gateways:external_gateways": PROJECT_MEMBER,
    "remove_extraroutes": PROJECT_MEMBER,
    "remove_router_interface": PROJECT_MEMBER,
    "update_external_gateways": PROJECT_MEMBER,
    "update_external_gateways:external_gateways": PROJECT_MEMBER,
    "update_external_gateways:external_gateways:enable_snat": "rule:admin_only",
    "update_external_gateways:external_gateways:external_fixed_ips": "rule:admin_only",
    "update_external_gateways:external_gateways:network_id": PROJECT_MEMBER,
    "update_router": PROJECT_MEMBER,
    "update_router:distributed": "rule:admin_only",
    "update_router:enable_default_route_bfd": "rule:admin_only",
    "update_router:enable_default_route_ecmp": "rule:admin_only",
    "update_router:external_gateway_info": PROJECT_MEMBER,
    "update_router:external_gateway_info:enable_snat": "rule:admin_only",
    "update_router:external_gateway_info:external_fixed_ips": "rule:admin_only",
    "update_router:external_gateway_info:network_id": PROJECT_MEMBER,
    "update_router:ha": "rule:admin_only",
    "update_router:tags": PROJECT_MEMBER,
    # security group
    "admin_or_sg_owner": "rule:context_is_admin or project_id:%(security_group:project_id)s",
    "admin_owner_or_sg_owner": "rule:owner or rule:admin_or_sg_owner",
    "create_default_security_group": (
        "(rule:admin_only) or (rule:service_api) or role:reader and project_id:%(project_id)s"
    ),
    "create_security_group": PROJECT_MEMBER,
    "create_security_group:tags": PROJECT_MEMBER,
    "create_security_group_rule": "(rule:admin_only) or (role:member and rule:sg_owner)",
    "delete_security_group": PROJECT_MEMBER,
    "delete_security_group:tags": PROJECT_MEMBER,
    "delete_security_group_rule": "(rule:admin_only) or (role:member and rule:sg_owner)",
    "get_security_group": (
        "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_security_group"
    ),
    "get_security_group:tags": (
        "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_security_group"
    ),
    "get_security_group_rule": "(rule:admin_only) or (role:reader and rule:sg_owner)",
    "rule_default_sg": "field:security_group_rules:belongs_to_default_sg=True",
    "shared_security_group": "field:security_groups:shared=True",
    "update_security_group": PROJECT_MEMBER,
    "update_security_group:tags": PROJECT_MEMBER,
    # security groups default statefulness
    "create_security_groups_default_statefulness": PROJECT_MANAGER,
    "delete_security_groups_default_statefulness": PROJECT_MANAGER,
    "get_security_groups_default_statefulness": PROJECT_READER,
    "update_security_groups_default_statefulness": PROJECT_MANAGER,
    # segment
    "create_segment": "rule:admin_only",
    "create_segments_tags": "rule:admin_only",
    "delete_segment": "rule:admin_only",
    "delete_segments_tags": "rule:admin_only",
    "get_segment": "rule:admin_only",
    "get_segments_tags": "rule:admin_only",
    "update_segment": "rule:admin_only",
    "update_segments_tags": "rule:admin_only",
    # service type
    "get_service_provider": "role:reader",
    # subnet
    "create_subnet": "(rule:admin_only) or (role:member and rule:network_owner)",
    "create_subnet:segment_id": "rule:admin_only",
    # The real service has a stricter text for the types of a subnet, and never asks it.
    "create_subnet:service_types": "rule:create_subnet",
    "create_subnet:tags": PROJECT_OR_NETWORK_MEMBER,
    "delete_subnet": PROJECT_OR_NETWORK_MEMBER,
    "delete_subnet:tags": PROJECT_OR_NETWORK_MEMBER,
    "external_network": "field:subnets:router:external=True",
    "get_subnet": (
        "role:reader and project_id:%(project_id)s or rule:shared or rule:external_network or (rule:admin_only)"
        " or (role:reader and rule:network_owner) or rule:service_api"
    ),
    "get_subnet:segment_id": "rule:admin_only",
    "get_subnet:tags": (
        "role:reader and project_id:%(project_id)s or rule:shared or rule:external_network or (rule:admin_only)"
        " or (role:reader and rule:network_owner)"
    ),
    "update_subnet": PROJECT_OR_NETWORK_MEMBER,
    "update_subnet:leak_routes": "rule:admin_only",
    "update_subnet:segment_id": "rule:admin_only",
    "update_subnet:service_types": "rule:update_subnet",
    "update_subnet:tags": PROJECT_OR_NETWORK_MEMBER,
    # subnet pool
    "add_prefixes": PROJECT_MEMBER,
    "create_subnetpool": PROJECT_MEMBER,
    "create_subnetpool:is_default": "rule:admin_only",
    "create_subnetpool:shared": "rule:admin_only",
    "create_subnetpool:tags": PROJECT_MEMBER,
    "delete_subnetpool": PROJECT_MEMBER,
    "delete_subnetpool:tags": PROJECT_MEMBER,
    "get_subnetpool": "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_subnetpools",
    "get_subnetpool:tags": (
        "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_subnetpools"
    ),
    "onboard_network_subnets": PROJECT_MEMBER,
    "remove_prefixes": PROJECT_MEMBER,
    "shared_subnetpools": "field:subnetpools:shared=True",
    "update_subnetpool": PROJECT_MEMBER,
    "update_subnetpool:is_default": "rule:admin_only",
    "update_subnetpool:tags": PROJECT_MEMBER,
    # trunk
    "add_subports": PROJECT_MEMBER,
    "create_trunk": PROJECT_MEMBER,
    "create_trunk:tags": PROJECT_MEMBER,
    "delete_trunk": PROJECT_MEMBER,
    "delete_trunk:tags": PROJECT_MEMBER,
    "get_subports": PROJECT_READER,
    "get_trunk": PROJECT_READER,
    "get_trunk:tags": PROJECT_READER,
    "remove_subports": PROJECT_MEMBER,
    "update_trunk": PROJECT_MEMBER,
    "update_trunk:tags": PROJECT_MEMBER,
}
