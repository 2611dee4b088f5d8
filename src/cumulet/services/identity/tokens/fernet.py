"""Fernet tokens: sealed with the repository's keys, base64 without padding. Nobody but us can read one."""

from __future__ import annotations

import re

from cryptography.fernet import InvalidToken

from cumulet.lib.clock import SECOND
from cumulet.services.identity.tokens.keys import KeyRepository
from cumulet.services.identity.tokens.payload import Token, Unreadable, pack, unpack

LONGEST = 4096
_FORM = re.compile(rf"[A-Za-z0-9_-]{{40,{LONGEST}}}={{0,2}}\Z")


class FernetTokens:
    """The provider `fernet`."""

    def __init__(self, keys: KeyRepository) -> None:
        self.keys = keys

    def recognises(self, text: str) -> bool:
        return bool(_FORM.match(text))

    def seal(self, token: Token) -> str:
        sealed = self.keys.fernet.encrypt_at_time(pack(token), token.issued_at // SECOND)
        return sealed.rstrip(b"=").decode()

    async def keep(self, text: str, token: Token) -> None:
        """The text says everything itself."""

    async def unseal(self, text: str) -> Token:
        padded = text.rstrip("=").encode()
        padded += b"=" * (-len(padded) % 4)
        try:
            fernet = self.keys.fernet
            return unpack(fernet.decrypt(padded), fernet.extract_timestamp(padded))
        except (InvalidToken, FileNotFoundError) as error:
            raise Unreadable("sealed by nobody we know") from error
