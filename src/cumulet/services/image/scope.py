"""Images are the affair of projects: a token for the whole system, whatever its roles, has nothing to do with them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from cumulet.core.errors import Forbidden
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.image.images.operations import missing
from cumulet.services.image.room import Image


def for_projects(endpoints: Iterable[Endpoint]) -> list[Endpoint]:
    """The same endpoints, refused to system tokens: an image is not there for them, the rest is forbidden."""
    return [_guarded(endpoint) for endpoint in endpoints]


def _guarded(endpoint: Endpoint) -> Endpoint:
    async def run(room: Image, call: Call) -> Any:
        if call.caller.system:
            if "image_id" in call.path:
                raise missing(call.path["image_id"])
            raise Forbidden("Images belong to projects. Ask with a token that is scoped to one.")
        return await endpoint.run(room, call)

    return replace(endpoint, run=run)
