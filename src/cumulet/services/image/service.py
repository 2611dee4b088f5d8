"""The image service's manifest."""

from __future__ import annotations

from cumulet.core.reconcile import Reconciler
from cumulet.core.web.dialects.image import ImageDialect
from cumulet.core.web.service import Service
from cumulet.services.image import info, members, versions
from cumulet.services.image.images import resource as images
from cumulet.services.image.images.reconciler import ImageReconciler, StoreReconciler
from cumulet.services.image.imports import resource as imports
from cumulet.services.image.imports.reconciler import ImportReconciler
from cumulet.services.image.imports.tasks import tasks
from cumulet.services.image.room import Image


def service() -> Service:
    return Service(
        type="image",
        name="glance",
        path="/image",
        prefix="/v2",
        dialect=ImageDialect(),
        resources=[tasks],
        routes=[*images.endpoints(), *members.endpoints(), *imports.endpoints(), *info.endpoints()],
        roots=versions.roots(),
        description="What machines and volumes are made from",
    )


def reconcilers(room: Image) -> list[Reconciler]:
    """Those who bring images and their bytes to what is wished."""
    return [ImageReconciler(room), StoreReconciler(room), ImportReconciler(room)]
