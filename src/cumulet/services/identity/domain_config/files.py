"""Configurations of domains as files, `keystone.NAME.conf` in one folder, as operators of other clouds have them.

They are read at the start, each in place of what its domain had; from then on they are like any that the API has set.
"""

from __future__ import annotations

import configparser
import logging
from pathlib import Path

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.errors import CloudError
from cumulet.services.identity.directories.options import BadOption, Options
from cumulet.services.identity.domain_config.operations import Config, check, write
from cumulet.services.identity.projects.row import ProjectRow
from cumulet.services.identity.room import Identity

log = logging.getLogger("cumulet.identity.domain_config")
BEGINNING, END = "keystone.", ".conf"


class BadFile(Exception):
    """A file cannot be used; says which, and why."""


async def load(room: Identity, folder: Path) -> None:
    """Raises BadFile. A file for a domain that there is not (yet) is told in the log only."""
    if not folder.is_dir():
        raise BadFile(f"identity.domain_config_dir: there is no folder {folder}.")
    for path in sorted(folder.glob(f"{BEGINNING}*{END}")):
        name = path.name.removeprefix(BEGINNING).removesuffix(END)
        async with room.database.read() as tx:
            domain = await tx.get(ProjectRow, domain_id="", name=name)
        if domain is None:
            log.warning("%s is for a domain %s, which there is not", path, name)
            continue
        try:
            config = _parsed(path)

            async def change(tx: Transaction, domain_id: str = domain.id, config: Config = config) -> None:
                await write(room, tx, domain_id, config, whole=True)

            await room.change(change)
        except (OSError, UnicodeDecodeError, configparser.Error, BadOption) as error:
            raise BadFile(f"{path}: {error}") from error
        except CloudError as error:
            raise BadFile(f"{path}: {error.message}") from error


def _parsed(path: Path) -> Config:
    """The options of a file, in the types that they have in the API."""
    parser = configparser.ConfigParser(interpolation=None, delimiters=("=",), default_section="")
    parser.read_string(path.read_text())
    config: Config = {group: dict(parser[group]) for group in parser.sections()}
    check(config)
    if "ldap" in config:
        typed = msgspec.to_builtins(Options.read(config["ldap"]))
        config["ldap"] = {option: typed[option] for option in config["ldap"]}
    return config
