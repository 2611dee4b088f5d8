"""The image service's manifest."""

from __future__ import annotations

from cumulet.core.web.dialects.image import ImageDialect
from cumulet.core.web.service import Service
from cumulet.services.image import versions
from cumulet.services.image.images import resource as images


def service() -> Service:
    return Service(
        type="image",
        name="glance",
        path="/image",
        prefix="/v2",
        dialect=ImageDialect(),
        routes=images.endpoints(),
        roots=versions.roots(),
        description="What machines and volumes are made from",
    )
