"""Between a token and its text: sealed with the repository's keys, base64 without padding."""

from __future__ import annotations

import re

from cryptography.fernet import InvalidToken

from cumulet.lib.clock import SECOND
from cumulet.services.identity.tokens.keys import KeyRepository
from cumulet.services.identity.tokens.payload import Token, Unreadable, pack, unpack

LONGEST = 4096
_FORM = re.compile(rf"[A-Za-z0-9_-]{{40,{LONGEST}}}={{0,2}}\Z")


def seal(keys: KeyRepository, token: Token) -> str:
    """The text that a client carries."""
    sealed = keys.fernet.encrypt_at_time(pack(token), token.issued_at // SECOND)
    return sealed.rstrip(b"=").decode()


def unseal(keys: KeyRepository, text: str) -> Token:
    """What a text says, if one of our keys sealed it. Raises Unreadable."""
    if not _FORM.match(text):
        raise Unreadable("not the form of a token")
    padded = text.rstrip("=").encode()
    padded += b"=" * (-len(padded) % 4)
    fernet = keys.fernet
    try:
        return unpack(fernet.decrypt(padded), fernet.extract_timestamp(padded))
    except InvalidToken as error:
        raise Unreadable("sealed by nobody we know") from error
