"""Whether a cloud takes a token, and how long it could."""

from __future__ import annotations

from cumulet.core.errors import Unauthorized
from tests.api.identity.cloud import Cloud

USEFUL = 3600 + 48 * 3600
"""Seconds from the making of a token until nobody takes it any more."""


async def accepts(cloud: Cloud, token: str) -> bool:
    """Is the token valid, after the cloud has had its second to notice what changed?"""
    cloud.room.clock.jump(1)
    try:
        await cloud.identity.authenticate(token, "")
    except Unauthorized:
        return False
    return True
