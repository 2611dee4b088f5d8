"""Where an image's bytes are: copies in the stores, which are ours, and places on web servers, which are only read.

Copies follow from the row's `stores`; places are kept as given. Clients see both as one list and change it by patches:
places may be added and taken away, and what is noted beside them changed; a copy may only be taken away. Pure.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec.structs import replace

from cumulet.services.image.errors import InvalidImage, LimitExceeded, PropertyConflict, StoreHoldsLast, WrongStatus
from cumulet.services.image.images.row import UNKNOWN, ImageRow, in_json
from cumulet.services.image.images.status import need_formats, with_stores

MOST_LOCATIONS = 10
HASH_DIGITS = {"sha256": 64, "sha384": 96, "sha512": 128}
"""The algorithms by which an image may be known, and how long their digests are."""

_POSITION = re.compile(r"\d{1,3}\Z")
_MD5 = re.compile(r"[0-9a-f]{32}\Z")


class Location(msgspec.Struct, frozen=True):
    """One entry of the list. `url` names a place; what is noted beside it says which store reads it."""

    url: str
    metadata: dict[str, Any] = {}

    @property
    def store(self) -> str:
        return str(self.metadata.get("store", ""))


class Claim(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a client says of the bytes at a location."""

    os_hash_algo: str = ""
    os_hash_value: str = ""
    checksum: str | None = None


class Given(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A location as a client sends it."""

    url: str
    metadata: dict[str, Any] = {}
    validation_data: Claim | None = None


def places(row: ImageRow) -> list[Location]:
    """What lies elsewhere."""
    return msgspec.json.decode(row.locations, type=list[Location])


def stores_of(row: ImageRow, weight: Callable[[str], int]) -> list[str]:
    """The stores that have the bytes, those with the greatest weight first."""
    named = dict.fromkeys([*row.store_list, *(place.store for place in places(row))])
    return sorted(named, key=lambda name: -weight(name))


def locations(row: ImageRow, weight: Callable[[str], int]) -> list[Location]:
    """The whole list, in the same order."""
    copies = [Location(f"{name}://{row.data_key}", {"store": name}) for name in row.store_list]
    return sorted([*copies, *places(row)], key=lambda location: -weight(location.store))


def read_given(value: Any) -> Given:
    """A location from JSON. Raises InvalidImage."""
    try:
        given = msgspec.convert(value, Given)
    except msgspec.ValidationError as error:
        raise InvalidImage(f"Provided object does not match schema 'location': {error}") from error
    if len(given.url) > 255 or len(in_json(given.metadata)) > 4096:
        raise InvalidImage("A location has a URL of at most 255 characters and 4096 bytes of metadata.")
    return given


def check_claim(claim: Claim) -> None:
    """Raise InvalidImage unless a claim can be true."""
    digits = HASH_DIGITS.get(claim.os_hash_algo)
    if digits is None:
        known = ", ".join(HASH_DIGITS)
        raise InvalidImage(f"os_hash_algo: {claim.os_hash_algo[:64]!r} is not known here; use one of {known}.")
    if not re.fullmatch(f"[0-9a-f]{{{digits}}}", claim.os_hash_value):
        raise InvalidImage(f"os_hash_value: a digest by {claim.os_hash_algo} has {digits} hexadecimal digits.")
    if claim.checksum is not None and not _MD5.match(claim.checksum):
        raise InvalidImage("checksum: not the 32 hexadecimal digits of an MD5.")


@dataclass(frozen=True)
class Surroundings:
    """What must be known to change the list of an image."""

    store: str = ""
    """The store that reads places."""
    weight: Callable[[str], int] = lambda name: 0
    sizes: Mapping[str, int] = field(default_factory=dict)
    """How many bytes lie at each new place."""


def add(row: ImageRow, position: str, value: Any, around: Surroundings) -> ImageRow:
    """The row with one more place. An image that had no data has it from now on."""
    given = read_given(value)
    known = places(row)
    _need_status(row, "add")
    if len(known) + len(row.store_list) >= MOST_LOCATIONS:
        raise LimitExceeded(f"The limit has been exceeded on the number of allowed image locations: {MOST_LOCATIONS}.")
    if any(place.url == given.url for place in known):
        raise InvalidImage(f"Location {given.url} is there already.")
    whole = locations(row, around.weight)
    if position != "-" and not (_POSITION.match(position) and int(position) <= len(whole)):
        raise InvalidImage("Invalid position for adding a location.")
    before = len(known) if position == "-" else sum(1 for one in whole[: int(position)] if one in known)
    place = Location(given.url, {**given.metadata, "store": around.store})
    row = replace(row, locations=in_json([*known[:before], place, *known[before:]]))
    size = around.sizes[given.url]
    if row.size not in (UNKNOWN, size):
        raise InvalidImage(f"At {given.url} lie {size} bytes, but the image has {row.size}.")
    if given.validation_data is not None:
        row = _claimed(row, given.validation_data)
    if row.status != "queued":
        return row
    need_formats(row)
    return replace(row, status="active", size=size)


def _claimed(row: ImageRow, claim: Claim) -> ImageRow:
    """The row with what is said of its bytes, which must be what was said before."""
    said = {"hash_algo": claim.os_hash_algo, "hash_value": claim.os_hash_value, "checksum": claim.checksum or ""}
    if row.status != "queued":
        for name, value in said.items():
            if value and value != getattr(row, name):
                raise PropertyConflict(f"The validation data of a location is not that of image {row.id}: {name}.")
        return row
    check_claim(claim)
    return replace(row, **said)


def replace_all(row: ImageRow, value: Any, around: Surroundings) -> ImageRow:
    """The row with another list: a first one, or the same places with other notes beside them."""
    if not isinstance(value, list):
        raise InvalidImage("Provided object does not match schema 'locations': a list is needed.")
    _need_status(row, "replace")
    whole = locations(row, around.weight)
    if not whole:
        for one in value:
            row = add(row, "-", one, around)
        return row
    given = [read_given(one) for one in value]
    if Counter(one.url for one in given) != Counter(one.url for one in whole):
        raise InvalidImage("Replacing locations changes only their metadata; add and remove change which there are.")
    copies = {one.url: one.metadata for one in whole if one not in places(row)}
    if any(one.metadata != copies[one.url] for one in given if one.url in copies):
        raise InvalidImage("The metadata of a copy in a store cannot be changed.")
    kept = [Location(one.url, {**one.metadata, "store": around.store}) for one in given if one.url not in copies]
    return replace(row, locations=in_json(kept))


def remove(row: ImageRow, position: str, around: Surroundings) -> ImageRow:
    """The row without one location, which must not be its last one."""
    whole = locations(row, around.weight)
    _need_status(row, "remove")
    if not (_POSITION.match(position) and int(position) < len(whole)):
        raise PropertyConflict("Invalid position for removing a location.")
    if len(whole) == 1:
        raise StoreHoldsLast(f"Cannot delete the last location of image {row.id}. Delete the image instead.")
    return without(row, whole[int(position)])


def without(row: ImageRow, gone: Location) -> ImageRow:
    left = places(row)
    if gone in left:
        return replace(row, locations=in_json([place for place in left if place != gone]))
    return with_stores(row, [name for name in row.store_list if name != gone.store])


def _need_status(row: ImageRow, doing: str) -> None:
    if row.status not in ("queued", "active"):
        raise WrongStatus(f"It's not allowed to {doing} locations if image status is {row.status}.")


def new_urls(row_urls: Sequence[str], values: Sequence[Any]) -> list[str]:
    """The URLs among locations from JSON that an image does not have yet. Raises InvalidImage."""
    return [url for url in dict.fromkeys(read_given(value).url for value in values) if url not in row_urls]
