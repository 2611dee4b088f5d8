"""How much this process writes into its log, part by part: for as long as it runs; its settings say the rest."""

from __future__ import annotations

import logging
from typing import Any

from cumulet.core.web.body import OPTIONAL, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import Enum, Text
from cumulet.services.block_storage.errors import InvalidInput
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.services import BACKUP, CONTROL, RULE, SCHEDULER, VOLUME

API = "cinder-api"
HERE = (API, SCHEDULER, BACKUP)
"""What this process is, all of them. Nodes have processes and logs of their own."""
LEVELS = {"CRITICAL": 50, "ERROR": 40, "WARNING": 30, "INFO": 20, "DEBUG": 10}
_ASKED = (
    Field("binary", Enum("", "*", API, VOLUME, SCHEDULER, BACKUP), create=OPTIONAL),
    Field("server", Text().or_null(), create=OPTIONAL),
    Field("prefix", Text().or_null(), create=OPTIONAL),
)
_Get = Body("", _ASKED)
_Set = Body("", (*_ASKED, Field("level", Text().or_null(), create=OPTIONAL)))


def _meant(call: Call) -> tuple[list[str], dict[str, logging.Logger]]:
    """The services of this process that are asked for, and the parts of it."""
    wish = call.wish
    binary, server, prefix = wish.get("binary") or "*", wish.get("server") or CONTROL, wish.get("prefix") or ""
    found = [one for one in HERE if binary in ("*", one) and server == CONTROL]
    known = logging.Logger.manager.loggerDict
    loggers = {name: one for name, one in sorted(known.items()) if isinstance(one, logging.Logger)}
    return found, {name: one for name, one in loggers.items() if name.startswith(prefix)}


async def get(room: BlockStorage, call: Call) -> dict[str, Any]:
    call.allow(RULE + "index")
    found, loggers = _meant(call)
    levels = {name: logging.getLevelName(one.getEffectiveLevel()) for name, one in loggers.items()}
    return {"log_levels": [{"binary": one, "host": CONTROL, "levels": levels} for one in found]}


async def set_(room: BlockStorage, call: Call) -> None:
    call.allow(RULE + "update")
    level = (call.wish.get("level") or "").upper()
    if level not in LEVELS:
        raise InvalidInput(f"level: use one of {', '.join(LEVELS)}")
    found, loggers = _meant(call)
    for logger in loggers.values() if found else ():
        logger.setLevel(LEVELS[level])


ROUTES = (
    Endpoint("PUT", "/os-services/get-log", get, since="3.32", body=_Get, name="log_levels"),
    Endpoint("PUT", "/os-services/set-log", set_, 202, since="3.32", body=_Set, name="log_levels_update"),
)
