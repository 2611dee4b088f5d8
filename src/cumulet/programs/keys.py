"""`cumulet keys`: turning the keys that seal tokens, and secrets in the database, while the cloud runs or rests."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import click

from cumulet.programs.laptop.processes import in_force
from cumulet.programs.settings import Settings, SettingsError

TOKENS, CREDENTIALS = "tokens", "credentials"

state_option = click.option("--state", type=click.Path(path_type=Path), help="The directory that holds the cloud.")


@click.group()
def keys() -> None:
    """Turn the keys that seal tokens, and secrets in the database.

    They are in fernet-keys or jws-keys, receipt-keys and credential-keys of the cloud's directory, in the form of every
    OpenStack cloud; a running cloud takes up what changes there. Several API processes need the same keys: turn them in
    one place, then copy the directories.
    """


@keys.command()
@state_option
@click.argument("which", required=False, type=click.Choice((TOKENS, CREDENTIALS)))
def rotate(state: Path | None, which: str | None) -> None:
    """Make new keys of one kind, or of both.

    Tokens that were sealed before stay valid until their key is forgotten: with three Fernet keys, after two more
    turns, so turn them no more often than tokens live; public keys of JWS are kept as long as their tokens live.
    Secrets are all sealed again with the new key; stopped in the middle, the command may be given again.
    """
    settings = in_force(state)
    if not (settings.state / "receipt-keys").is_dir():
        raise SettingsError(f"there is no cloud in {settings.state}: name its directory with --state")
    os.umask(0o077)
    for line in asyncio.run(_rotate(settings, (which,) if which else (TOKENS, CREDENTIALS))):
        click.echo(line)


async def _rotate(settings: Settings, kinds: tuple[str, ...]) -> list[str]:
    from cumulet.core.access.rules import Rules
    from cumulet.core.bus import MemoryBus
    from cumulet.core.db import Database
    from cumulet.core.db.connect import connect
    from cumulet.lib.clock import SystemClock
    from cumulet.programs.cloud import identity_settings
    from cumulet.services.identity.credentials.resealing import turn_credential_key
    from cumulet.services.identity.policies import DEFAULTS
    from cumulet.services.identity.room import Identity

    said = []
    database = Database(await connect(settings.database_url))
    try:
        room = Identity(
            settings=identity_settings(settings),
            database=database,
            bus=MemoryBus(),
            clock=SystemClock(),
            rules=Rules(DEFAULTS),
        )
        if TOKENS in kinds:
            for repository in filter(None, (room.tokens.chosen.keys, room.receipt_keys)):
                repository.rotate()
                said.append(f"{repository.directory}: key {repository.primary} seals from now on.")
        if CREDENTIALS in kinds:
            count = await turn_credential_key(room)
            primary = room.credential_keys.primary
            said.append(f"{room.credential_keys.directory}: key {primary} seals from now on; {count} secrets sealed.")
    finally:
        await database.close()
    return said
