"""`/domains/{id}/config`, whole, by group, or by option."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.body import Body
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.core.web.wire import AnyObject
from cumulet.services.identity.bootstrap import DEFAULT
from cumulet.services.identity.domain_config.operations import Config, check, read, remove, write
from cumulet.services.identity.domain_config.options import DEFAULTS, SECRET
from cumulet.services.identity.domain_config.row import DomainConfigRow
from cumulet.services.identity.errors import Missing, NotAllowed
from cumulet.services.identity.projects.row import domain_of
from cumulet.services.identity.room import Identity

RULE = "identity:"
COMPLIANCE = "security_compliance"
_BODY = Body("config", [], kind=AnyObject)


async def _domain(room: Identity, call: Call, rule: str) -> str:
    call.allow(RULE + rule, {"target": {"domain": {"id": call.path["domain_id"]}}})
    async with room.database.read() as tx:
        if not await domain_of(tx, call.path["domain_id"]):
            raise Missing(f"Could not find domain: {call.path['domain_id'][:64]}.")
    return call.path["domain_id"]


def _where(call: Call) -> dict[str, Any]:
    """The group and option of the path, as far as it names them; both must exist. Raises NotAllowed."""
    where: dict[str, Any] = {name: call.path[name] for name in ("group", "option") if name in call.path}
    if "group" in where and where["group"] not in DEFAULTS:
        raise NotAllowed(f"The group {where['group'][:64]} cannot be set for a domain.")
    if "option" in where and where["option"] not in DEFAULTS[where["group"]]:
        raise NotAllowed(f"The option {where['option'][:64]} cannot be set for a domain.")
    return where


def _checked(call: Call) -> Config:
    """The configuration that was sent, which says no more than the path. Raises InvalidValue, NotAllowed."""
    where = _where(call)
    sent: dict[str, Any] = call.wish["config"]
    if "option" in where:
        sent = {where["group"]: sent}
    if "group" in where and set(sent) != {where["group"]}:
        raise NotAllowed(f"The body speaks of other groups than {where['group']}.")
    check(sent)
    if "option" in where and set(sent[where["group"]]) != {where["option"]}:
        raise NotAllowed(f"The body speaks of other options than {where['option']}.")
    return sent


async def create(room: Identity, call: Call) -> dict[str, Any]:
    """Set the whole configuration, in place of what there was."""
    domain_id = await _domain(room, call, "create_domain_config")
    config = _checked(call)

    async def change(tx: Transaction) -> Config:
        await write(room, tx, domain_id, config, whole=True)
        return await read(tx, domain_id, {})

    return {"config": await room.change(change)}


async def update(room: Identity, call: Call) -> dict[str, Any]:
    """Change options; a group or option that the path names must have been set before."""
    domain_id = await _domain(room, call, "update_domain_config")
    config = _checked(call)
    where = _where(call)

    async def change(tx: Transaction) -> Config:
        if where and not await tx.find(DomainConfigRow, domain_id=domain_id, **where):
            raise _not_set(domain_id, where)
        await write(room, tx, domain_id, config, whole=False)
        return await read(tx, domain_id, {})

    return {"config": await room.change(change)}


async def show(room: Identity, call: Call) -> dict[str, Any]:
    if call.path.get("group") == COMPLIANCE:
        return _compliance(room, call)
    domain_id = await _domain(room, call, "get_domain_config")
    where = _where(call)
    async with room.database.read() as tx:
        found = await read(tx, domain_id, where)
    if not found:
        raise _not_set(domain_id, where)
    return {"config": found[where["group"]] if "option" in where else found}


def _compliance(room: Identity, call: Call) -> dict[str, Any]:
    """What a password must look like: everybody may know."""
    call.allow(RULE + "get_security_compliance_domain_config", {})
    settings = room.settings
    shown = {
        "password_regex": settings.password_regex or None,
        "password_regex_description": settings.password_regex_description or None,
    }
    if call.path["domain_id"] != DEFAULT:
        raise NotAllowed("The rules for passwords are those of the default domain.")
    option = call.path.get("option")
    if option is None:
        return {"config": {COMPLIANCE: shown}}
    if option not in shown:
        raise NotAllowed(f"The option {option[:64]} is not for everybody's eyes.")
    return {"config": {option: shown[option]}}


async def delete(room: Identity, call: Call) -> None:
    domain_id = await _domain(room, call, "delete_domain_config")
    where = _where(call)

    async def change(tx: Transaction) -> None:
        if not await remove(tx, domain_id, where) and where:
            raise _not_set(domain_id, where)

    await room.change(change)


async def default(room: Identity, call: Call) -> dict[str, Any]:
    """What holds where a domain has set nothing."""
    call.allow(RULE + "get_domain_config_default", {})
    where = _where(call)
    shown = {
        group: {option: value for option, value in options.items() if (group, option) not in SECRET}
        for group, options in DEFAULTS.items()
    }
    if "option" in where:
        return {"config": {where["option"]: shown[where["group"]].get(where["option"])}}
    return {"config": {where["group"]: shown[where["group"]]} if where else shown}


def _not_set(domain_id: str, where: dict[str, Any]) -> Missing:
    what = " and ".join(f"{name} {value}" for name, value in where.items()) or "any option"
    return Missing(f"Could not find a configuration of {what} for domain {domain_id}.")


_ALL = "/domains/{domain_id}/config"
_PATHS = (_ALL, f"{_ALL}/{{group}}", f"{_ALL}/{{group}}/{{option}}")
_DEFAULTS = ("/domains/config/default", "/domains/config/{group}/default", "/domains/config/{group}/{option}/default")
ROUTES = (
    Endpoint("PUT", _ALL, create, 201, body=_BODY, name="create_domain_config"),
    *(Endpoint("GET", path, show, name="get_domain_config") for path in _PATHS),
    *(Endpoint("PATCH", path, update, body=_BODY, name="update_domain_config") for path in _PATHS),
    *(Endpoint("DELETE", path, delete, 204, name="delete_domain_config") for path in _PATHS),
    *(Endpoint("GET", path, default, name="get_domain_config_default") for path in _DEFAULTS),
)
