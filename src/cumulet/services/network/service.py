"""The network service's manifest."""

from __future__ import annotations

from cumulet.core.reconcile import Reconciler
from cumulet.core.web.dialects.network import NetworkDialect
from cumulet.core.web.service import Service
from cumulet.services.network import auto_topology, ip_availability, quotas, service_providers, tags
from cumulet.services.network.address_groups import address_groups
from cumulet.services.network.address_pools.pools import subnetpools
from cumulet.services.network.address_pools.scopes import address_scopes
from cumulet.services.network.agents import agents, scheduling
from cumulet.services.network.extensions import extension_endpoints
from cumulet.services.network.flavors import flavors
from cumulet.services.network.flavors.service_profiles import service_profiles
from cumulet.services.network.floating_ips.floating_ips import floatingips
from cumulet.services.network.floating_ips.port_forwardings import port_forwardings
from cumulet.services.network.local_ips.associations import port_associations
from cumulet.services.network.local_ips.local_ips import local_ips
from cumulet.services.network.metering.labels import labels
from cumulet.services.network.metering.labels import rules as label_rules
from cumulet.services.network.networks.networks import networks
from cumulet.services.network.networks.reconciler import NetworkReconciler
from cumulet.services.network.networks.segment_ranges import segment_ranges
from cumulet.services.network.networks.segments import segments
from cumulet.services.network.noun import Noun
from cumulet.services.network.offers import OfferReconciler
from cumulet.services.network.ports import bindings
from cumulet.services.network.ports import pairs as _pairs  # noqa: F401 - declares verbs of ports
from cumulet.services.network.ports.ports import ports
from cumulet.services.network.ports.reconciler import PortReconciler
from cumulet.services.network.qos import rules
from cumulet.services.network.qos.policies import policies
from cumulet.services.network.qos.rules import RULES
from cumulet.services.network.rbac_policies import rbac_policies
from cumulet.services.network.room import Network
from cumulet.services.network.routers import verbs as _verbs  # noqa: F401 - declares verbs of routers
from cumulet.services.network.routers.conntrack_helpers import conntrack_helpers
from cumulet.services.network.routers.ndp_proxies import ndp_proxies
from cumulet.services.network.routers.reconciler import NodeWatcher, RouterReconciler
from cumulet.services.network.routers.routers import routers
from cumulet.services.network.security_groups import logs as logging
from cumulet.services.network.security_groups.default_rules import default_rules
from cumulet.services.network.security_groups.default_statefulness import default_statefulness
from cumulet.services.network.security_groups.groups import security_groups
from cumulet.services.network.security_groups.logs import logs
from cumulet.services.network.security_groups.reconciler import GroupReconciler
from cumulet.services.network.security_groups.rules import security_group_rules
from cumulet.services.network.subnets.subnets import subnets
from cumulet.services.network.trunks.trunks import trunks
from cumulet.services.network.versions import resources_endpoint, roots

NOUNS: tuple[Noun, ...] = (
    networks,
    subnets,
    ports,
    security_groups,
    security_group_rules,
    logs,
    routers,
    floatingips,
    port_forwardings,
    conntrack_helpers,
    ndp_proxies,
    local_ips,
    port_associations,
    rbac_policies,
    policies,
    *RULES,
    default_rules,
    default_statefulness,
    subnetpools,
    address_scopes,
    address_groups,
    trunks,
    labels,
    label_rules,
    segment_ranges,
    flavors.flavors,
    service_profiles,
    segments,
)
TAGGED: tuple[Noun, ...] = (
    networks,
    subnets,
    ports,
    security_groups,
    routers,
    floatingips,
    subnetpools,
    policies,
    trunks,
)
OTHERS = (
    quotas.QUOTAS,
    quotas.DETAILS,
    quotas.CHECKED,
    agents.AGENT,
    agents.ZONES,
    agents.SYNCED,
    ip_availability.AVAILABILITY,
    ip_availability.POOLS,
    service_providers.SERVICE_TYPES,
    rules.TYPES,
    scheduling.DHCP_SCHEDULER,
    scheduling.L3_SCHEDULER,
    bindings.EXTENDED,
)
"""Facets of what is no noun."""


def reconcilers(room: Network) -> list[Reconciler]:
    """What brings this service's wishes to the nodes."""
    return [
        NetworkReconciler(room),
        PortReconciler(room),
        GroupReconciler(room),
        RouterReconciler(room),
        NodeWatcher(room),
        OfferReconciler(room),
    ]


def service() -> Service:
    routes = [resources_endpoint(NOUNS), *extension_endpoints(NOUNS, *OTHERS), *quotas.endpoints()]
    parts = (agents, scheduling, ip_availability, auto_topology, rules, service_providers, bindings, logging, flavors)
    for part in parts:
        routes += part.endpoints()
    for noun in TAGGED:
        routes += tags.endpoints(noun)
    routes += tags.endpoints(segment_ranges, "/network_segment_ranges")
    routes += tags.endpoints(policies, "/policies")  # where the real service has them, unlike the policies themselves
    return Service(
        type="network",
        name="neutron",
        path="/network",
        prefix="/v2.0",
        catalog_version=False,
        dialect=NetworkDialect(),
        hyphens=True,
        resources=NOUNS,
        routes=routes,
        roots=roots(),
    )
