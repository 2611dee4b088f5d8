"""A web server that a cloud reads data of images from."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from cumulet.contracts.machines import ImageRef
from cumulet.drivers.image_store.web import Outside
from cumulet.services.image.room import Image
from tests.api.image.making import RAW, answers, patch, web_server
from tests.support.client import Client

NOTHING = ImageRef(id="", sha512="", disk_format="", size=0)
DIGEST = hashlib.sha512(RAW).hexdigest()


@asynccontextmanager
async def open_web(room: Image, answer: Callable[[str], bytes] = answers, store: str = "web") -> AsyncIterator[str]:
    """A web server that this cloud may read from, and its address."""
    async with web_server(answer) as port:
        room.outside = Outside(("127.0.0.0/8",), (port,))
        room.web_store, room.show_locations, room.show_direct_url = store, bool(store), bool(store)
        yield f"http://127.0.0.1:{port}"


async def add(image: Client, image_id: str, url: str, status: int = 200, **more: Any) -> Any:
    value = {"url": url, "metadata": {}, **more}
    return await patch(image, image_id, {"op": "add", "path": "/locations/-", "value": value}, status=status)
