"""Block storage's manifest."""

from __future__ import annotations

from typing import Any

from cumulet.core.reconcile import Reconciler
from cumulet.core.room import Room
from cumulet.core.web.call import Call
from cumulet.core.web.dialects.compute import BlockStorageDialect
from cumulet.core.web.request import Response
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.service import Service
from cumulet.services.block_storage import about, clusters, log_levels, pools, quota_sets, services, workers, zones
from cumulet.services.block_storage.attachments import actions as attachment_actions
from cumulet.services.block_storage.attachments.resource import attachments
from cumulet.services.block_storage.backups import records
from cumulet.services.block_storage.backups.reconciler import BackupReconciler
from cumulet.services.block_storage.backups.resource import backups
from cumulet.services.block_storage.group_types import group_types
from cumulet.services.block_storage.groups import consistency
from cumulet.services.block_storage.groups import resource as group_routes
from cumulet.services.block_storage.groups.resource import groups
from cumulet.services.block_storage.groups.snapshots import group_snapshots
from cumulet.services.block_storage.manageable import snapshots as manageable_snapshots
from cumulet.services.block_storage.manageable import volumes as manageable_volumes
from cumulet.services.block_storage.messages import messages
from cumulet.services.block_storage.qos_specs import qos_specs
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.snapshots.resource import snapshots
from cumulet.services.block_storage.transfers import old_transfers, transfers
from cumulet.services.block_storage.types import defaults, encryption
from cumulet.services.block_storage.types.resource import types
from cumulet.services.block_storage.versions import EARLIEST, LATEST
from cumulet.services.block_storage.volumes import actions as volume_actions
from cumulet.services.block_storage.volumes import migration, retyping, uploads
from cumulet.services.block_storage.volumes.reconciler import VolumeReconciler
from cumulet.services.block_storage.volumes.resource import volumes

VERBS = (attachment_actions, encryption, migration, records, retyping, uploads, volume_actions)
"""Files that declare verbs of nouns which stand elsewhere; imported for that."""
PARTS = (
    about,
    clusters,
    defaults,
    group_routes,
    log_levels,
    manageable_snapshots,
    manageable_volumes,
    pools,
    quota_sets,
    services,
    workers,
    zones,
)
"""Files whose nouns are plain routes."""


def _document(call: Call) -> dict[str, Any]:
    root = call.base.rpartition("/v3")[0]
    return {
        "id": "v3.0",
        "status": "CURRENT",
        "version": LATEST,
        "min_version": EARLIEST,
        "updated": "2026-01-01T00:00:00Z",
        "links": [{"rel": "self", "href": f"{root}/v3/"}],
        "media-types": [{"base": "application/json", "type": "application/vnd.openstack.volume+json;version=3"}],
    }


async def versions(room: Room, call: Call) -> Response:
    return Response.json(300, {"versions": [_document(call)]})


async def version_three(room: Room, call: Call) -> dict[str, Any]:
    return {"versions": [_document(call)]}


def service() -> Service:
    return Service(
        type="volumev3",
        name="cinderv3",
        path="/volume",
        prefix="/v3",
        dialect=BlockStorageDialect(service="volume", earliest=EARLIEST, latest=LATEST),
        resources=[
            volumes,
            attachments,
            snapshots,
            backups,
            types,
            qos_specs,
            group_types,
            groups,
            group_snapshots,
            consistency.groups,
            consistency.snapshots,
            old_transfers,
            transfers,
            messages,
        ],
        routes=[endpoint for part in PARTS for endpoint in part.ROUTES],
        roots=[
            Endpoint("GET", "/", versions, 300, open=True),
            Endpoint("GET", "/v3", version_three, open=True),
        ],
        project_in_path=True,
        catalog_project=True,
        description="Block storage: volumes that outlive servers",
    )


def reconcilers(room: BlockStorage) -> list[Reconciler]:
    return [VolumeReconciler(room), uploads.UploadReconciler(room), BackupReconciler(room)]
