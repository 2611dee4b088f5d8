"""How an import changes its image. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec.structs import replace

from cumulet.services.image.images.fields import TYPES, with_properties
from cumulet.services.image.images.row import ImageRow
from cumulet.services.image.images.status import return_to_queue
from cumulet.services.image.imports.methods import COPY_IMAGE, FAILED, IMPORTING

_COPIED = ("hw_", "trait:", "os_distro", "os_secure_boot", "os_type")
"""Beginnings of the properties that an image brings along from another region."""


def begin(row: ImageRow, method: str, stores: Sequence[str]) -> ImageRow:
    """An import was asked for. A copy leaves the image as usable as it is."""
    after = told(row, importing=stores, failed=())
    return after if method == COPY_IMAGE else replace(after, status="importing", locations="[]")


def attempt(row: ImageRow, key: str) -> ImageRow:
    """The bytes will come under this name."""
    return replace(row, data_key=key)


def fail(row: ImageRow, stores: Sequence[str]) -> ImageRow:
    """No store got the bytes."""
    return return_to_queue(told(row, importing=(), failed=stores))


def told(row: ImageRow, *, importing: Sequence[str], failed: Sequence[str]) -> ImageRow:
    """The row with the properties by which a client follows the import."""
    news = {IMPORTING: ",".join(importing), FAILED: ",".join(failed)}
    return with_properties(row, row.properties_dict | news)


def like(row: ImageRow, source: ImageRow) -> ImageRow:
    """The row with what an image takes over from the one that it is a copy of."""
    taken = {name: value for name, value in source.properties_dict.items() if name.startswith(_COPIED)}
    after = replace(row, disk_format=source.disk_format, container_format=source.container_format)
    return with_properties(after, row.properties_dict | taken)


def image_fields(properties: Mapping[str, object]) -> tuple[dict[str, object], dict[str, object]]:
    """The attributes and the free properties in what a client gave of an image to be."""
    fields = {name: value for name, value in properties.items() if name in TYPES}
    return fields, {name: value for name, value in properties.items() if name not in TYPES}
