"""Receipts: a proof of the first steps of an authentication that needs several."""

from __future__ import annotations

from typing import Any

import msgspec
from cryptography.fernet import InvalidToken

from cumulet.core.web.request import Response
from cumulet.lib.clock import SECOND, iso_micros_z
from cumulet.services.identity.errors import AuthenticationFailed
from cumulet.services.identity.room import Identity
from cumulet.services.identity.users.row import UserRow

HEADER = "openstack-auth-receipt"


class Receipt(msgspec.Struct, array_like=True, frozen=True):
    """Who proved what, and until when that counts."""

    user_id: str
    methods: tuple[str, ...]
    issued_at: int
    expires_at: int


def read_receipt(room: Identity, text: str) -> Receipt:
    """A receipt that we gave. Raises AuthenticationFailed."""
    padded = text.encode("utf-8", "replace")
    try:
        opened = room.receipt_keys.fernet.decrypt(padded + b"=" * (-len(padded) % 4))
        receipt = msgspec.msgpack.decode(opened, type=Receipt)
    except (InvalidToken, msgspec.MsgspecError) as error:
        raise AuthenticationFailed from error
    if receipt.expires_at <= room.clock.now():
        raise AuthenticationFailed
    return receipt


def give_receipt(
    room: Identity, user: UserRow, domain: dict[str, str], methods: tuple[str, ...], needed: list[list[str]]
) -> Response:
    """The 401 that says what is still missing."""
    now = room.clock.now()
    receipt = Receipt(user.id, methods, now, now + room.settings.receipt_lifetime * SECOND)
    text = room.receipt_keys.fernet.encrypt(msgspec.msgpack.encode(receipt)).rstrip(b"=").decode()
    body: dict[str, Any] = {
        "receipt": {
            "methods": list(methods),
            "user": {"id": user.id, "name": user.name, "domain": domain},
            "issued_at": iso_micros_z(receipt.issued_at),
            "expires_at": iso_micros_z(receipt.expires_at),
        },
        "required_auth_methods": needed,
    }
    return Response.json(401, body, {"Openstack-Auth-Receipt": text})
