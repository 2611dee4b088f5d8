"""The rules of ports. `field:` looks at the port itself: who it is for decides who may delete it."""

from __future__ import annotations

from cumulet.services.network.policies.texts import ADMIN, SERVICE, SETS, noun, rules

SERVICE_OR_NETWORK_MEMBER = "(rule:admin_only) or (rule:service_api) or role:member and rule:network_owner"
NETWORK_MEMBER_OR_SERVICE = "(rule:admin_only) or (role:member and rule:network_owner) or rule:service_api"
SHARED_NETWORK_MEMBER = "(rule:admin_only) or (rule:service_api) or role:member and rule:network_owner or rule:shared"
MEMBER_OR_SERVICE = "(rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:service_api"
SERVICE_OR_MEMBER = "(rule:admin_only) or (rule:service_api) or role:member and project_id:%(project_id)s"
MEMBER_OR_ADVSVC = "(rule:admin_only) or (role:member and project_id:%(project_id)s) or rule:context_is_advsvc"
_ONLY_SERVICES = "rule:service_api"

PORTS = {
    "admin_or_data_plane_int": "rule:context_is_admin or role:data_plane_integrator",
    "baremetal_device": "field:port:device_owner=~^baremetal:",
    "compute_device": "field:port:device_owner=~^compute:",
    "manila_device": "field:port:device_owner=~^manila:",
    "network_device": "field:port:device_owner=~^network:",
    "create_port": SHARED_NETWORK_MEMBER,
    "get_port": (
        "(rule:admin_only) or (rule:service_api) or role:reader and rule:network_owner"
        " or role:reader and project_id:%(project_id)s"
    ),
    "update_port": SERVICE_OR_MEMBER,
    "delete_port": (
        "(rule:admin_only) or (rule:service_api) or (service_roles:service and (role:member and rule:network_owner"
        " or role:member and project_id:%(project_id)s))"
        " or (not rule:compute_device and not rule:baremetal_device and not rule:manila_device and (role:member"
        " and rule:network_owner"
        " or role:member and project_id:%(project_id)s))"
    ),
    **rules(SETS, "port:tags", text=MEMBER_OR_ADVSVC),
    "get_port:tags": (
        "rule:context_is_advsvc or (rule:admin_only) or (role:reader and rule:network_owner)"
        " or role:reader and project_id:%(project_id)s"
    ),
    "delete_port:tags": (
        "rule:context_is_advsvc or role:member and project_id:%(project_id)s or (rule:admin_only)"
        " or (role:member and rule:network_owner)"
    ),
}
ATTRIBUTES = {
    **rules(
        SETS,
        "port:allowed_address_pairs",
        "port:allowed_address_pairs:ip_address",
        "port:allowed_address_pairs:mac_address",
        text=NETWORK_MEMBER_OR_SERVICE,
    ),
    **rules(SETS, "port:device_id", text=MEMBER_OR_SERVICE),
    **rules(
        SETS,
        "port:device_owner",
        text="not rule:network_device or (rule:admin_only) or (rule:service_api) or role:member and rule:network_owner",
    ),
    "create_port:fixed_ips": SHARED_NETWORK_MEMBER,
    "update_port:fixed_ips": SERVICE_OR_NETWORK_MEMBER,
    **rules(SETS, "port:fixed_ips:ip_address", "port:port_security_enabled", text=SERVICE_OR_NETWORK_MEMBER),
    **rules(SETS, "port:fixed_ips:subnet_id", text=SHARED_NETWORK_MEMBER),
    "create_port:mac_address": SERVICE_OR_NETWORK_MEMBER,
    "update_port:mac_address": "(rule:admin_only) or (rule:service_api) or role:manager and rule:network_owner",
    **noun("port:hints", "port:trusted", read=ADMIN, write=ADMIN, verbs=SETS),
    **noun("port:pvlan_community", "port:pvlan_type", verbs=SETS),
    "get_port:resource_request": ADMIN,
    "update_port:data_plane_status": "rule:admin_only or role:data_plane_integrator",
}
BINDINGS = {
    **noun("port:binding:host_id", read=SERVICE, write=SERVICE, verbs=SETS),
    **noun("port:binding:profile", read=SERVICE, write=_ONLY_SERVICES, verbs=SETS),
    **rules(("get",), "port:binding:vif_details", "port:binding:vif_type", text=SERVICE),
    "create_port:binding:vnic_type": MEMBER_OR_SERVICE,
    "update_port:binding:vnic_type": SERVICE_OR_MEMBER,
    **noun("port_binding", read=SERVICE, write=_ONLY_SERVICES, verbs=("create", "delete")),
    "activate": _ONLY_SERVICES,
}
