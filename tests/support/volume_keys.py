"""Keys of encrypted volumes as a node gets them: another one for each volume, always the same one for the same."""

from __future__ import annotations

import hashlib


async def key_of(volume_id: str) -> str:
    return hashlib.sha256(volume_id.encode()).hexdigest()
