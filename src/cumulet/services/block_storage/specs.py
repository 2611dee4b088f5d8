"""Specs: pairs of words that say what a kind of volumes is, or of groups of them. They are set and read one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from cumulet.core.db import Row, Transaction
from cumulet.core.web.body import Body
from cumulet.core.web.call import Call
from cumulet.core.web.wire import MapOf, Text
from cumulet.services.block_storage.errors import InvalidInput
from cumulet.services.block_storage.room import BlockStorage

KEY = r"^[a-zA-Z0-9_\-:. ]{1,255}$"
Specs = MapOf(Text(255).or_null(), key=KEY, most=128)
OneSpec = MapOf(Text(255).or_null(), key=KEY, least=1, most=1)
MOST = 256

Alter = Callable[[dict[str, str]], object]


def written(specs: Mapping[str, str | None]) -> dict[str, str]:
    """Specs as they are kept: null means empty."""
    return {key: value or "" for key, value in specs.items()}


def text_of(specs: Mapping[str, str | None]) -> str:
    return msgspec.json.encode(written(specs)).decode()


async def alter(
    room: BlockStorage, row: type[Row], id: str, column: str, change: Alter, *, most: int = MOST, **also: object
) -> None:
    """Change the specs that a row keeps in a column, as they are at that moment; `also` sets others of its columns.
    Nothing happens to a row that is gone. Raises InvalidInput for more than `most`."""

    async def write(tx: Transaction) -> None:
        if not await tx.update(row, {"id": id}, id=id):  # nobody else changes it before this ends
            return
        specs = msgspec.json.decode(getattr(await tx.get(row, id=id), column), type=dict[str, str])
        change(specs)
        if len(specs) > most:
            raise InvalidInput(f"there can be {most} specs at the most")
        await tx.update(row, {"id": id}, **{column: text_of(specs), **also})

    await room.database.write(write)


async def one_given(call: Call, key: str, kind: MapOf = OneSpec) -> dict[str, str]:
    """The only pair of a body, which must be the one that the URL names. Raises InvalidInput."""
    text = b'{"value": ' + (await call.request.body(4096) or b"null") + b"}"
    given: dict[str, str | None] = Body("value", (), kind=kind).read(text, call.version)["value"]
    if key not in given:
        raise InvalidInput("Request body and URI mismatch: the body's only key must be the one in the URL")
    return written(given)
