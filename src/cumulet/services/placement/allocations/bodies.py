"""What a client sends to give out and take back, from 1.0 to 1.39."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cumulet.core.web.body import OPTIONAL, REQUIRED, Body, Field
from cumulet.core.web.wire import ListOf, MapOf, Obj, StrictInt, Text, Uuid
from cumulet.services.placement.allocations.operations import Change
from cumulet.services.placement.names import FORM
from cumulet.services.placement.verbs import Document

UUID_KEY = r"^[0-9a-fA-F-]{36}\Z"
MOST_PROVIDERS = 500
MOST_CONSUMERS = 5000
MOST_UNITS = 2**53
"""More than any inventory can hold, and still a number that every database adds."""

UNITS = MapOf(StrictInt(1, MOST_UNITS), key=FORM, least=1, most=100)
RESOURCES = Field("resources", UNITS, create=REQUIRED)
SHOWN_GENERATION = Field("generation", StrictInt(), create=OPTIONAL)
"""What a look showed may be sent back as it is."""

LISTED = ListOf(
    Obj(Field("resource_provider", Obj(Field("uuid", Uuid, create=REQUIRED)), create=REQUIRED), RESOURCES),
    least=1,
    most=MOST_PROVIDERS,
)
OF_PROVIDER = Obj(RESOURCES, SHOWN_GENERATION)
SOME = MapOf(OF_PROVIDER, key=UUID_KEY, least=1, most=MOST_PROVIDERS)
ANY = MapOf(OF_PROVIDER, key=UUID_KEY, most=MOST_PROVIDERS)
MAPPINGS = MapOf(ListOf(Uuid, least=1, most=MOST_PROVIDERS), key=r"^[a-zA-Z0-9_-]{0,64}\Z", least=1)

OF_OWNER = [
    Field("project_id", Text(255, 1), create=REQUIRED, since="1.8"),
    Field("user_id", Text(255, 1), create=REQUIRED, since="1.8"),
    Field("consumer_generation", StrictInt().or_null(), create=REQUIRED, since="1.28"),
    Field("mappings", MAPPINGS, create=OPTIONAL, since="1.34"),
    Field("consumer_type", Text(255, 1, FORM), create=REQUIRED, since="1.38"),
]
ONE = Body(
    "",
    [
        Field("allocations", LISTED, create=REQUIRED, until="1.11"),
        Field("allocations", SOME, create=REQUIRED, since="1.12", until="1.27"),
        Field("allocations", ANY, create=REQUIRED, since="1.28"),
        *OF_OWNER,
    ],
)
CONSUMER = Obj(Field("allocations", ANY, create=REQUIRED), *OF_OWNER)
MANY = Document(MapOf(CONSUMER, key=UUID_KEY, least=1, most=MOST_CONSUMERS))
ALL = MapOf(CONSUMER, key=UUID_KEY, most=MOST_CONSUMERS)


def change(wish: Mapping[str, Any]) -> Change:
    """What a consumer shall hold from now on."""
    given = wish["allocations"]
    holdings: dict[str, dict[str, int]] = {}
    if isinstance(given, list):
        for item in given:
            holdings.setdefault(item["resource_provider"]["uuid"], {}).update(item["resources"])
    else:
        holdings = {provider: item["resources"] for provider, item in given.items()}
    return Change(
        holdings=holdings,
        project_id=wish.get("project_id", ""),
        user_id=wish.get("user_id", ""),
        checked="consumer_generation" in wish,
        generation=wish.get("consumer_generation"),
        type=wish.get("consumer_type", ""),
    )
