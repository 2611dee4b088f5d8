"""The image service's manifest."""

from __future__ import annotations

from cumulet.core.reconcile import Reconciler
from cumulet.core.web.dialects.image import ImageDialect
from cumulet.core.web.service import Service
from cumulet.services.image import info, members, schemas, versions
from cumulet.services.image.cache import resource as cache
from cumulet.services.image.cache.reconciler import CacheReconciler
from cumulet.services.image.images import resource as images
from cumulet.services.image.images.reconciler import CACHE, STAGING, ImageReconciler, StoreReconciler
from cumulet.services.image.imports import locations
from cumulet.services.image.imports import resource as imports
from cumulet.services.image.imports.reconciler import ImportReconciler
from cumulet.services.image.imports.tasks import tasks
from cumulet.services.image.metadefs import resource_types
from cumulet.services.image.metadefs.namespaces import namespaces
from cumulet.services.image.metadefs.objects import objects
from cumulet.services.image.metadefs.properties import properties
from cumulet.services.image.metadefs.resource_types import associations
from cumulet.services.image.metadefs.tags import tags
from cumulet.services.image.room import Image
from cumulet.services.image.scope import for_projects


def service() -> Service:
    return Service(
        type="image",
        name="glance",
        path="/image",
        prefix="/v2",
        catalog_version=False,
        dialect=ImageDialect(),
        resources=[tasks, namespaces, objects, properties, tags, associations],
        routes=[
            *for_projects([*images.endpoints(), *members.endpoints(), *imports.endpoints(), *locations.endpoints()]),
            *cache.endpoints(),
            *info.endpoints(),
            *resource_types.endpoints(),
            *schemas.endpoints(),
        ],
        roots=versions.roots(),
        description="What machines and volumes are made from",
    )


def own_reconcilers(room: Image) -> list[Reconciler]:
    """Those that each process runs for itself alone."""
    if room.cache is None:
        return []
    return [CacheReconciler(room), StoreReconciler(room, {CACHE: room.cache}, topic="image_cache_store")]


def reconcilers(room: Image) -> list[Reconciler]:
    """Those who bring images and their bytes to what is wished."""
    stores = StoreReconciler(room, {**room.stores, STAGING: room.staging})
    return [ImageReconciler(room), stores, ImportReconciler(room)]
