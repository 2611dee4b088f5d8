"""The forms in which a token is carried. New ones have the form that the operator chose; each is known by its look."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from cumulet.core.db import Database
from cumulet.lib.clock import Clock
from cumulet.services.identity.settings import Settings
from cumulet.services.identity.tokens.fernet import FernetTokens
from cumulet.services.identity.tokens.jws import JwsTokens
from cumulet.services.identity.tokens.keys import KeyRepository, Keys
from cumulet.services.identity.tokens.payload import Token, Unreadable
from cumulet.services.identity.tokens.signing_keys import SigningKeys
from cumulet.services.identity.tokens.uuids import UuidTokens


class Provider(Protocol):
    """One form of tokens."""

    @property
    def keys(self) -> Keys | None:
        """What such tokens are sealed with; None where nothing is sealed."""
        ...

    def recognises(self, text: str) -> bool:
        """Has it the look of this form, which no other form has?"""
        ...

    def seal(self, token: Token) -> str:
        """The text that a client carries."""
        ...

    async def keep(self, text: str, token: Token) -> None:
        """Remember, before the client gets it, what the text of a token does not say."""
        ...

    async def unseal(self, text: str) -> Token:
        """What a text of this form says, if it is one of ours. Raises Unreadable."""
        ...


class Providers:
    """Every form, and the chosen one."""

    def __init__(self, known: Mapping[str, Provider], chosen: str) -> None:
        self._known = tuple(known.values())
        self.chosen = known[chosen]
        if self.chosen.keys:
            self.chosen.keys.make()

    async def unseal(self, text: str) -> Token:
        """What a text says, whichever form it has. Raises Unreadable."""
        for provider in self._known:
            if provider.recognises(text):
                return await provider.unseal(text)
        raise Unreadable("not the form of a token")

    def turned(self) -> bool:
        """Have keys come or gone since the last call?"""
        looks = [provider.keys.turned() for provider in self._known if provider.keys]
        return any(looks)  # only after each has looked


def providers(settings: Settings, database: Database, clock: Clock) -> Providers:
    useful_seconds = settings.token_lifetime + settings.expired_window
    known: dict[str, Provider] = {
        "fernet": FernetTokens(KeyRepository(settings.state / "fernet-keys", settings.active_keys)),
        "jws": JwsTokens(SigningKeys(settings.state / "jws-keys", clock, useful_seconds)),
        "uuid": UuidTokens(database, clock, settings.expired_window),
    }
    return Providers(known, settings.token_provider)
