"""The default rules of the network service, under the names and with the texts that its policy files use.

`create_port:fixed_ips` is asked besides `create_port` where a request sets that field. `ext_parent` is the resource
that holds another: a floating IP its port forwardings, a policy its rules. `field:` looks at the resource itself.
"""

from __future__ import annotations

from cumulet.services.network.policies import common, networks, ports, qos, routers, security_groups

DEFAULTS: dict[str, str] = {
    **common.ASKED,
    **networks.NETWORKS,
    **networks.SEGMENTS,
    **networks.SUBNETS,
    **networks.POOLS,
    **ports.PORTS,
    **ports.ATTRIBUTES,
    **ports.BINDINGS,
    **security_groups.SECURITY_GROUPS,
    **security_groups.ADDRESS_GROUPS,
    **security_groups.LOGS,
    **routers.ROUTERS,
    **routers.GATEWAYS,
    **routers.FLOATING_IPS,
    **routers.LOCAL_IPS,
    **qos.QOS,
    **common.AGENTS,
    **common.FLAVORS,
    **common.METERING,
    **common.QUOTAS,
    **common.SHARES,
    **common.TRUNKS,
}
