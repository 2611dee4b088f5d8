"""Compute's manifest."""

from __future__ import annotations

from dataclasses import replace

from cumulet.core.reconcile import Reconciler
from cumulet.core.web.dialects.compute import ComputeDialect
from cumulet.core.web.service import Service, action_endpoint
from cumulet.services.compute import (
    assisted_snapshots,
    consoles,
    documents,
    external_events,
    extra_specs,
    flavor_access,
    hypervisors,
    instance_actions,
    quota_sets,
    services,
    usage,
    usage_audits,
    zones,
)
from cumulet.services.compute.aggregates import aggregates
from cumulet.services.compute.flavors import flavors
from cumulet.services.compute.keypairs import keypairs
from cumulet.services.compute.moves import resource as migrations
from cumulet.services.compute.nodes import NodeReconciler
from cumulet.services.compute.proxies import (
    bare_metal,
    ended,
    fixed_ips,
    floating_ips,
    images,
    networks,
    security_groups,
    volumes,
)
from cumulet.services.compute.room import Compute
from cumulet.services.compute.server_groups import groups
from cumulet.services.compute.servers import (
    attachments,
    handlers,
    insides,
    interfaces,
    live_migration,
    metadata,
    migration,
    rebuild,
    rescue,
    resize,
    shelve,
)
from cumulet.services.compute.servers.extensions import ExtensionReconciler
from cumulet.services.compute.servers.reconciler import ServerReconciler
from cumulet.services.compute.servers.resource import servers
from cumulet.services.compute.snapshots import actions as snapshots
from cumulet.services.compute.snapshots.reconciler import SnapshotReconciler
from cumulet.services.compute.versions import EARLIEST, LATEST

VERBS = (
    attachments,
    extra_specs,
    fixed_ips,
    flavor_access,
    handlers,
    insides,
    interfaces,
    live_migration,
    metadata,
    migration,
    rebuild,
    rescue,
    resize,
    shelve,
    snapshots,
)
"""Files that declare verbs of nouns which stand elsewhere; imported for that."""
PARTS = (
    assisted_snapshots,
    consoles,
    documents,
    external_events,
    hypervisors,
    instance_actions,
    migrations,
    quota_sets,
    services,
    usage,
    usage_audits,
    zones,
)
"""Files whose nouns are plain routes."""
PROXIES = (bare_metal, ended, floating_ips, images, networks, security_groups, volumes)
"""What is passed on to neighbours for old clients, or has ended."""


VOLUMES_BOOT = tuple(
    replace(endpoint, path=endpoint.path.replace("/servers", "/os-volumes_boot", 1), until="2.102")
    for endpoint in (*servers.endpoints, action_endpoint(servers))
    if endpoint.path in ("/servers", "/servers/detail", "/servers/{server_id}", "/servers/{server_id}/action")
)
"""Servers under the name by which those that boot from volumes were once asked for."""


def service() -> Service:
    return Service(
        type="compute",
        name="nova",
        path="/compute",
        prefix="/v2.1",
        old_prefix="/v2",
        dialect=ComputeDialect(
            service="compute", header="X-OpenStack-Nova-API-Version", earliest=EARLIEST, latest=LATEST
        ),
        resources=[servers, flavors, keypairs, groups, aggregates],
        roots=documents.ROOTS,
        routes=[*VOLUMES_BOOT, *(endpoint for part in (*PARTS, *PROXIES) for endpoint in part.ROUTES)],
        project_in_path=True,
        description="Servers, and what they are made of",
    )


def reconcilers(room: Compute) -> list[Reconciler]:
    """What brings the world to the wishes of this room."""
    return [NodeReconciler(room), ServerReconciler(room), ExtensionReconciler(room), SnapshotReconciler(room)]
