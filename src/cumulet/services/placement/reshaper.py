"""The reshaper: inventories and allocations of many providers, changed at once or not at all."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.body import REQUIRED, Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import MapOf, Obj
from cumulet.services.placement.allocations.bodies import ALL, MOST_PROVIDERS, UUID_KEY, change
from cumulet.services.placement.allocations.operations import (
    check_holdings,
    forget_idle,
    note_consumers,
    refuse,
)
from cumulet.services.placement.counting import advance, give_back_all, take_all
from cumulet.services.placement.errors import UnknownProvider
from cumulet.services.placement.inventories.operations import replace
from cumulet.services.placement.inventories.resource import GENERATION, INVENTORIES
from cumulet.services.placement.room import Placement
from cumulet.services.placement.rows import ProviderRow
from cumulet.services.placement.verbs import LONG_BODY, Verbs

verbs = Verbs()
OFFERS = MapOf(Obj(GENERATION, INVENTORIES), key=UUID_KEY, least=1, most=MOST_PROVIDERS)
RESHAPED = Body("", [Field("inventories", OFFERS, create=REQUIRED), Field("allocations", ALL, create=REQUIRED)])


@verbs("POST", "/reshaper", "placement:reshaper:reshape", status=204, body=RESHAPED, since="1.30", limit=LONG_BODY)
async def reshape(room: Placement, call: Call) -> None:
    offers: dict[str, Any] = call.wish["inventories"]
    changes = {id_: change(wish) for id_, wish in call.wish["allocations"].items()}

    async def write(tx: Transaction) -> None:
        known = {row.id for row in await tx.find(ProviderRow, id=sorted(offers))}
        for missing in sorted(set(offers) - known):
            raise UnknownProvider(f"Resource provider {missing} in inventories not found")
        for id_ in sorted(offers):
            await advance(tx, id_, offers[id_]["resource_provider_generation"])
        await check_holdings(tx, changes)
        await note_consumers(tx, changes, room.clock.now())
        # Old holdings go before the inventories change, new ones come after: each is counted against its own offers.
        touched = await give_back_all(tx, set(changes))
        for id_ in sorted(offers):
            await replace(tx, id_, offers[id_]["inventories"], call.version)
        refuse(await take_all(tx, {id_: one.holdings for id_, one in changes.items()}, touched - set(offers)))
        await forget_idle(tx, changes)

    await room.database.write(write)
