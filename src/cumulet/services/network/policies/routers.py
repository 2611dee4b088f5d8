"""The rules of routers, and of what leads through them: floating IPs, local IPs, helpers, proxies."""

from __future__ import annotations

from cumulet.services.network.policies.texts import (
    ADMIN,
    PARENT_MEMBER,
    PARENT_READER,
    PROJECT_MANAGER,
    PROJECT_MEMBER,
    PROJECT_READER,
    SETS,
    noun,
    rules,
)

ROUTERS = {
    **noun("router", "router:tags"),
    "add_router_interface": PROJECT_MEMBER,
    "remove_router_interface": PROJECT_MEMBER,
    "add_extraroutes": PROJECT_MEMBER,
    "remove_extraroutes": PROJECT_MEMBER,
    **noun("router:distributed", "router:ha", read=ADMIN, write=ADMIN, verbs=SETS),
    **rules(SETS, "router:enable_default_route_bfd", "router:enable_default_route_ecmp", text=ADMIN),
    "create_router:evpn_vni": ADMIN,
    "get_router:evpn_vni": PROJECT_READER,
    **noun("router_conntrack_helper", read=PARENT_READER, write=PARENT_MEMBER),
    **noun("ndp_proxy"),
}
# The first gateway is an attribute of the router, all of them are what three verbs take.
GATEWAYS = {
    **rules(SETS, "router:external_gateway_info", "router:external_gateway_info:network_id", text=PROJECT_MEMBER),
    **rules(
        SETS,
        "router:external_gateway_info:enable_snat",
        "router:external_gateway_info:external_fixed_ips",
        text=ADMIN,
    ),
    **rules(
        ("add", "update", "remove"),
        "external_gateways",
        "external_gateways:external_gateways",
        text=PROJECT_MEMBER,
    ),
    **rules(("add", "update"), "external_gateways:external_gateways:network_id", text=PROJECT_MEMBER),
    **rules(
        ("add", "update"),
        "external_gateways:external_gateways:enable_snat",
        "external_gateways:external_gateways:external_fixed_ips",
        text=ADMIN,
    ),
}
FLOATING_IPS = {
    **noun("floatingip", "floatingip:tags"),
    "create_floatingip:floating_ip_address": PROJECT_MANAGER,
    **rules(SETS, "floatingip:router_id", text=PROJECT_MEMBER),
    "get_floatingip_pool": PROJECT_READER,
    **noun("floatingip_port_forwarding", read=PARENT_READER, write=PARENT_MEMBER),
}
LOCAL_IPS = {
    **noun("local_ip"),
    **noun("local_ip_port_association", read=PARENT_READER, write=PARENT_MEMBER, verbs=("create", "delete")),
}
