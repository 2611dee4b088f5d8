"""How an image is shown: one flat object, its properties beside its attributes."""

from __future__ import annotations

import msgspec

from cumulet.lib.clock import iso_seconds
from cumulet.services.image.images.locations import locations, stores_of
from cumulet.services.image.images.row import ImageRow
from cumulet.services.image.room import Image

_encode = msgspec.json.Encoder().encode


class Shown(msgspec.Struct):
    """The attributes of an image on the wire."""

    id: str
    name: str | None
    status: str
    visibility: str
    owner: str | None
    protected: bool
    os_hidden: bool
    disk_format: str | None
    container_format: str | None
    min_disk: int
    min_ram: int
    size: int | None
    virtual_size: int | None
    checksum: str | None
    os_hash_algo: str | None
    os_hash_value: str | None
    tags: msgspec.Raw
    created_at: str
    updated_at: str
    self: str
    file: str
    schema: str = "/v2/schemas/image"


def show(room: Image, row: ImageRow, *, whereabouts: bool = False) -> msgspec.Raw:
    """An image as JSON. Tags and properties are passed through as the text that they are stored as.

    `whereabouts` says that who looks may know where the bytes are, as far as this cloud tells anybody.
    """
    path = f"/v2/images/{row.id}"
    text = _encode(
        Shown(
            row.id,
            row.name if row.named else None,
            row.status,
            row.visibility,
            row.owner or None,
            row.protected,
            row.hidden,
            row.disk_format or None,
            row.container_format or None,
            row.min_disk,
            row.min_ram,
            row.size if row.size >= 0 else None,
            row.virtual_size if row.virtual_size >= 0 else None,
            row.checksum or None,
            row.hash_algo or None,
            row.hash_value or None,
            msgspec.Raw(row.tags.encode()),
            iso_seconds(row.created_at),
            iso_seconds(row.updated_at),
            path,
            f"{path}/file",
        )
    )
    more: dict[str, object] = {}
    if stores := stores_of(row, room.weight):
        more["stores"] = ",".join(stores)
    if whereabouts and (room.show_locations or room.show_direct_url):
        lies = locations(row, room.weight)
        if room.show_locations:
            more["locations"] = lies
        if room.show_direct_url and lies:
            more["direct_url"] = lies[0].url
    if more:
        text = text[:-1] + b"," + _encode(more)[1:]
    if row.properties != "{}":
        text = text[:-1] + b"," + row.properties.encode()[1:]
    return msgspec.Raw(text)
