"""Extra specs: what a flavor says beyond its size, to schedulers and hypervisors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from cumulet.core.db import Transaction
from cumulet.core.errors import BadRequest, NotFound
from cumulet.core.web.body import Body
from cumulet.core.web.call import Call
from cumulet.core.web.wire import MapOf, Wire
from cumulet.services.compute.flavors import FlavorRow, flavors
from cumulet.services.compute.room import Compute

RULE = "os_compute_api:os-flavor-extra-specs:"


def _text(value: str | int | float) -> str:
    text = str(value)
    if len(text) > 255 or "\x00" in text:
        raise ValueError("a value is text of at most 255 characters")
    return text


Specs = MapOf(Wire(str | int | float, _text), key=r"^[a-zA-Z0-9_\-.: ]{1,255}$", least=1, most=128)
OneSpec = MapOf(Wire(str | int | float, _text), key=r"^[a-zA-Z0-9_\-.: ]{1,255}$", least=1, most=1)


async def _changed(room: Compute, flavor_id: str, change: Callable[[dict[str, str]], None]) -> dict[str, str]:
    """Change the specs of a flavor as they are at this moment."""

    async def write(tx: Transaction) -> dict[str, str]:
        row = await tx.get(FlavorRow, id=flavor_id)
        specs: dict[str, str] = msgspec.json.decode(row.extra_specs) if row else {}
        change(specs)
        await tx.update(FlavorRow, {"id": flavor_id}, extra_specs=msgspec.json.encode(specs).decode())
        return specs

    return await room.database.write(write)


@flavors.item("GET", RULE + "index", suffix="/os-extra_specs")
async def index(room: Compute, call: Call, row: FlavorRow) -> dict[str, Any]:
    return {"extra_specs": msgspec.Raw(row.extra_specs.encode())}


@flavors.item("POST", RULE + "create", suffix="/os-extra_specs", body=Body("extra_specs", (), kind=Specs))
async def create(room: Compute, call: Call, row: FlavorRow) -> dict[str, Any]:
    given = call.wish["extra_specs"]
    await _changed(room, row.id, lambda specs: specs.update(given))
    return {"extra_specs": given}


def _one(row: FlavorRow, key: str) -> str:
    specs: dict[str, str] = msgspec.json.decode(row.extra_specs)
    if key not in specs:
        raise NotFound(f"Flavor {row.id} has no extra specs with key {key[:255]}.")
    return specs[key]


@flavors.item("GET", RULE + "show", suffix="/os-extra_specs/{spec}")
async def show(room: Compute, call: Call, row: FlavorRow) -> dict[str, Any]:
    key = call.path["spec"]
    return {key: _one(row, key)}


@flavors.item("PUT", RULE + "update", suffix="/os-extra_specs/{spec}", raw=True)
async def update(room: Compute, call: Call, row: FlavorRow) -> dict[str, Any]:
    key = call.path["spec"]
    body = Body("value", (), kind=OneSpec)
    raw = b'{"value": ' + await call.request.body(4096) + b"}"
    given = body.read(raw, call.version)["value"]
    if key not in given:
        raise BadRequest("Request body and URI mismatch: the body's only key must be the one in the URL")
    await _changed(room, row.id, lambda specs: specs.update(given))
    return dict(given)


@flavors.item("DELETE", RULE + "delete", status=200, suffix="/os-extra_specs/{spec}")
async def delete(room: Compute, call: Call, row: FlavorRow) -> None:
    key = call.path["spec"]
    _one(row, key)
    await _changed(room, row.id, lambda specs: specs.__delitem__(key) if key in specs else None)
