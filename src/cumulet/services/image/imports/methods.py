"""The ways of importing an image, and what each asks of a request and of the image. Pure."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cumulet.lib.ids import is_uuid
from cumulet.services.image.errors import InvalidImport, WrongStatus
from cumulet.services.image.images.row import ImageRow

GLANCE_DIRECT, WEB_DOWNLOAD, COPY_IMAGE, GLANCE_DOWNLOAD = IMPORT_METHODS = (
    "glance-direct",
    "web-download",
    "copy-image",
    "glance-download",
)

_STATUS = {GLANCE_DIRECT: "uploading", WEB_DOWNLOAD: "queued", GLANCE_DOWNLOAD: "queued", COPY_IMAGE: "active"}


class Method(msgspec.Struct, frozen=True, omit_defaults=True):
    """Where the bytes come from."""

    name: str
    uri: str = ""
    glance_image_id: str = ""
    glance_region: str = ""
    glance_service_interface: str = ""


class ImportRequest(msgspec.Struct, frozen=True):
    """The body of `POST …/import`."""

    method: Method
    stores: list[str] | None = None
    all_stores: bool = False
    all_stores_must_succeed: bool = True


def chosen_stores(request: ImportRequest, named: str, known: Sequence[str], read_only: str = "") -> list[str]:
    """Into which stores, the default one first in `known`. Raises InvalidImport."""
    if request.all_stores:
        if request.stores or named:
            raise InvalidImport("The all_stores parameter can't be used with x-image-meta-store header or stores")
        return list(known)
    stores = list(dict.fromkeys(request.stores or ([named] if named else [])))
    if request.stores and named:
        raise InvalidImport("The stores parameter and x-image-meta-store header can't be both specified")
    for store in stores:
        if store and store == read_only:
            raise InvalidImport(f"The store {store} is read-only. Choose among {', '.join(known)}.")
        if store not in known:
            raise InvalidImport(f"There is no store {store[:64]!r}. The stores here are {', '.join(known)}.")
    return stores or [known[0]]


def check_method(method: Method) -> None:
    """Raise InvalidImport unless the method is offered and has what it needs."""
    if method.name not in IMPORT_METHODS:
        raise InvalidImport(f"Unknown import method name '{method.name[:64]}'. Use one of {', '.join(IMPORT_METHODS)}.")
    if method.name == WEB_DOWNLOAD and not method.uri:
        raise InvalidImport("The import method web-download needs a uri.")
    if method.name == GLANCE_DOWNLOAD:
        if not is_uuid(method.glance_image_id):
            raise InvalidImport("The remote image id does not look like a UUID")
        if not method.glance_region:
            raise InvalidImport("The import method glance-download needs a glance_region.")


def check_image(request: ImportRequest, row: ImageRow, stores: Sequence[str]) -> None:
    """Raise unless the image is in a state that this import begins from."""
    method = request.method
    wanted = _STATUS[method.name]
    if row.status != wanted or (method.name == GLANCE_DIRECT and row.touched_at):
        raise WrongStatus(f"Only images with status '{wanted}' can be imported by {method.name}; it is {row.status}.")
    if method.name in (GLANCE_DIRECT, WEB_DOWNLOAD) and not (row.disk_format and row.container_format):
        lacking = "'disk_format'" if row.container_format else "'container_format'"
        raise WrongStatus(f"{lacking} needs to be set before import")
    if method.name == COPY_IMAGE:
        if importing_to(row):
            raise WrongStatus(f"Image {row.id} is being copied already; wait until that has ended.")
        held = [store for store in stores if store in row.store_list]
        if not request.all_stores and len(stores) == len(held):  # into all means: wherever it is not yet
            raise WrongStatus(f"Image {row.id} already exists in {', '.join(held)}.")


_NOT_CONVERTED = ("", "iso", "ami", "ari", "aki")
"""Formats that say what an image is for."""


def is_converted(method: Method, row: ImageRow, wanted: str, claimed: str) -> bool:
    """Whether an import brings a disk into the format that the operator wants. A claimed digest keeps it as it is."""
    comes = method.name in (GLANCE_DIRECT, WEB_DOWNLOAD) and row.container_format == "bare" and not claimed
    return bool(wanted) and comes and row.disk_format not in (wanted, *_NOT_CONVERTED)


IMPORTING, FAILED = "os_glance_importing_to_stores", "os_glance_failed_import"
"""The properties by which a client follows an import: the stores still to come, and those that failed."""


def importing_to(row: ImageRow) -> list[str]:
    text = row.properties_dict.get(IMPORTING, "")
    return text.split(",") if text else []
