"""What lies on web servers, its refusals in words of this service."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from cumulet.drivers.image_store.base import Refused, Unreachable
from cumulet.drivers.image_store.web import Outside, WebStore
from cumulet.services.image.errors import DownloadFailed, InvalidImport


def check(url: str, outside: Outside) -> None:
    """Raise InvalidImport for an address that is not asked, as far as can be judged from its text."""
    try:
        WebStore(outside).check(url)
    except Refused as error:
        raise InvalidImport(str(error)) from error


async def size(url: str, outside: Outside) -> int:
    """How many bytes lie there. Raises InvalidImport, DownloadFailed."""
    try:
        return await WebStore(outside).size(url)
    except Refused as error:
        raise InvalidImport(str(error)) from error
    except Unreachable as error:
        raise DownloadFailed(str(error)) from error


async def fetch(url: str, outside: Outside) -> AsyncGenerator[bytes, None]:
    """The bytes at a URL. Raises InvalidImport, DownloadFailed."""
    try:
        async with aclosing(WebStore(outside).get(url)) as pieces:
            async for piece in pieces:
                yield piece
    except Refused as error:
        raise InvalidImport(str(error)) from error
    except Unreachable as error:
        raise DownloadFailed(str(error)) from error
