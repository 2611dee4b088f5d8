"""Authentication by a passcode that changes every thirty seconds."""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from typing import Any

from cumulet.lib.clock import SECOND
from cumulet.services.identity.auth.lookup import named_user
from cumulet.services.identity.auth.password import check_standing, count_failure
from cumulet.services.identity.auth.proof import Proof
from cumulet.services.identity.auth.standing import is_locked
from cumulet.services.identity.credentials.row import CredentialRow
from cumulet.services.identity.errors import AuthenticationFailed
from cumulet.services.identity.passwords.hashing import same_text
from cumulet.services.identity.room import Identity

STEP, DIGITS = 30, 6
PAST_STEPS = 1
"""Older passcodes still taken, for slow fingers and clocks."""


def passcode(secret: str, second: int) -> str:
    """The passcode of a base32 secret at a second. Raises ValueError for what is no secret."""
    key = base64.b32decode(secret.upper() + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", second // STEP), "sha1")
    place = digest[-1] & 15
    number = int.from_bytes(digest[place : place + 4], "big") & 0x7FFFFFFF
    return str(number % 10**DIGITS).zfill(DIGITS)


async def by_totp(room: Identity, given: dict[str, Any]) -> Proof:
    """The user one of whose secrets gives this passcode now. Raises AuthenticationFailed."""
    words = given["user"]
    async with room.database.read() as tx:
        user = await named_user(tx, words)
        credentials = await tx.find(CredentialRow, user_id=user.id, type="totp") if user else []
    now = room.clock.now()
    if user is None or is_locked(user, room.settings, now):
        raise AuthenticationFailed
    second = now // SECOND
    for credential in credentials:
        secret = room.credential_keys.fernet.decrypt(credential.blob.encode()).decode()
        for past in range(PAST_STEPS + 1):
            try:
                wanted = passcode(secret, second - past * STEP)
            except (ValueError, binascii.Error):
                break
            if same_text(wanted, words["passcode"]):
                await check_standing(room, user)
                return Proof(user, ("totp",))
    # Six digits are soon guessed by whoever may try as often as he likes.
    await count_failure(room, user)
    raise AuthenticationFailed
