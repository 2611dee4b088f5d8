"""What identity stands on: its settings, keys and hashing, and what it remembers of tokens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

from cumulet.core.db import Transaction
from cumulet.core.room import Room
from cumulet.services.identity.directories.registry import Directories
from cumulet.services.identity.federation.oidc.outside import Ask, Outside
from cumulet.services.identity.federation.oidc.provider import OpenIdProvider
from cumulet.services.identity.limits.models import MODELS, Model
from cumulet.services.identity.passwords.hashing import Hasher
from cumulet.services.identity.policies import CLOSED_TO_DOMAINS
from cumulet.services.identity.settings import Settings
from cumulet.services.identity.tokens.cache import Cache, Generation, Kept
from cumulet.services.identity.tokens.keys import KeyRepository
from cumulet.services.identity.tokens.providers import Providers, providers
from cumulet.services.identity.tokens.revocations import next_epoch, revoke

if TYPE_CHECKING:
    from cumulet.services.identity.tokens.validation import Standing, Valid

T = TypeVar("T")
TOPIC = "identity"


@dataclass(kw_only=True)
class Identity(Room):
    """The identity service's room."""

    settings: Settings
    ask: Ask = field(default_factory=lambda: Outside().ask)
    """How identity providers are asked."""
    openid: dict[str, OpenIdProvider] = field(init=False)
    tokens: Providers = field(init=False)
    receipt_keys: KeyRepository = field(init=False)
    credential_keys: KeyRepository = field(init=False)
    hasher: Hasher = field(init=False)
    generation: Generation = field(init=False, default_factory=Generation)
    valid: Cache[Valid] = field(init=False)
    standings: Cache[Standing] = field(init=False)
    """What tokens of the same user for the same place have in common."""
    places: Cache[str] = field(init=False)
    """The ids of places that scopes name."""
    kept: Kept = field(init=False)
    directories: Directories = field(init=False)
    epoch: int = field(init=False, default=0)
    epoch_read_at: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.rules.close_to_domains(CLOSED_TO_DOMAINS)
        state, active = self.settings.state, self.settings.active_keys
        self.tokens = providers(self.settings, self.database, self.clock)
        self.receipt_keys = KeyRepository(state / "receipt-keys", active)
        self.credential_keys = KeyRepository(state / "credential-keys", active)
        for keys in (self.receipt_keys, self.credential_keys):
            keys.make()
        self.hasher = Hasher(self.settings.scrypt_log_n, self.settings.hashing_threads)
        self.openid = {id_: OpenIdProvider(given, self.ask, self.clock) for id_, given in self.settings.oidc.items()}
        self.valid = Cache(self.generation, self.settings.cached_tokens)
        self.standings = Cache(self.generation, self.settings.cached_tokens)
        self.places = Cache(self.generation, self.settings.cached_tokens)
        self.kept = Kept(self.generation)
        self.directories = Directories(self.clock, self.settings.directory_seconds)
        self.bus.listen(TOPIC, lambda key: self.generation.renew())

    @property
    def limit_model(self) -> Model:
        return MODELS[self.settings.limit_model]

    @property
    def max_project_depth(self) -> int:
        """How deep projects may be nested, counted from the domain."""
        most, allowed = self.settings.max_project_depth, self.limit_model.depth
        return most if allowed is None else min(most, allowed)

    async def change(self, work: Callable[[Transaction], Awaitable[T]]) -> T:
        """Write something that tokens depend on: with the commit, everything remembered of tokens is old."""

        async def write(tx: Transaction) -> T:
            result = await work(tx)
            await next_epoch(tx)
            tx.wake(TOPIC, "tokens")
            return result

        result = await self.database.write(write)
        self.generation.renew()
        return result

    async def revoke(self, tx: Transaction, kind: str, key: str) -> None:
        """Make the tokens of this key void that exist now; for use within `change`."""
        keep = self.settings.token_lifetime + self.settings.expired_window
        await revoke(tx, kind, key, self.clock.now(), keep)
