"""What both ends of a connection by iSCSI agree on: names, and how an initiator proves that it has a secret (CHAP)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

IQN = "iqn.2026-01.org.cumulet"
"""How our names of targets and initiators begin."""
LUN = 1
_PASSWORD_BYTES = 12
"""16 characters: some initiators take no more."""


@dataclass(frozen=True)
class Account:
    """What both sides know."""

    name: str
    password: str = field(repr=False)


def account(secret: str) -> Account:
    """The name does not tell the secret, nor does the password."""
    name = hashlib.sha256(b"chap name " + secret.encode()).hexdigest()[:20]
    password = hashlib.sha256(b"chap password " + secret.encode()).digest()[:_PASSWORD_BYTES]
    return Account(name, base64.urlsafe_b64encode(password).decode())
