"""How an image moves between its states: each function takes a row and gives the row as it shall be, or refuses. Pure.

    queued ──begin_upload──▶ saving ──finish──▶ active ◀──▶ deactivated
      │  ▲                     │                   ▲
      │  └──────return_to_queue┴──────────────┐    │
      └──begin_staging──▶ uploading ──begin_import──▶ importing ──finish──┘

Every state may become `deleted`, from which nothing returns.
"""

from __future__ import annotations

from msgspec.structs import replace

from cumulet.services.image.errors import ImageProtected, InvalidImage, WrongStatus
from cumulet.services.image.images.measure import Measure
from cumulet.services.image.images.row import UNKNOWN, ImageRow

RECEIVING = ("saving", "uploading")
"""A process is, or was when it died, receiving bytes from a client. `uploading` also stands when they are all there."""


def refuse_move(row: ImageRow, wanted: str) -> WrongStatus:
    return WrongStatus(f"Image status transition from {row.status} to {wanted} is not allowed")


def need_formats(row: ImageRow) -> None:
    if not row.disk_format or not row.container_format:
        raise InvalidImage("Properties disk_format, container_format must be set prior to saving data.")


def begin_upload(row: ImageRow, key: str, now: int) -> ImageRow:
    need_formats(row)
    if row.status != "queued":
        raise refuse_move(row, "saving")
    return replace(row, status="saving", data_key=key, touched_at=now, locations="[]", size=UNKNOWN)


def begin_staging(row: ImageRow, key: str, now: int) -> ImageRow:
    need_formats(row)
    if row.status != "queued":
        raise refuse_move(row, "uploading")
    return replace(row, status="uploading", staged_key=key, staged_size=0, touched_at=now, locations="[]")


def finish_staging(row: ImageRow, size: int) -> ImageRow:
    return replace(row, staged_size=size, size=size, touched_at=0)


def finish(row: ImageRow, measure: Measure, stores: list[str]) -> ImageRow:
    """The bytes are there and are what they claim to be."""
    return replace(
        row,
        status="active",
        size=measure.size,
        virtual_size=measure.virtual_size or UNKNOWN,
        checksum=measure.md5,
        hash_algo=measure.algorithm,
        hash_value=measure.hash_value,
        digest=measure.sha512,
        stores=",".join(stores),
        staged_key="",
        staged_size=0,
        touched_at=0,
    )


def with_stores(row: ImageRow, stores: list[str]) -> ImageRow:
    """The same bytes, in these stores."""
    return replace(row, stores=",".join(stores))


def return_to_queue(row: ImageRow) -> ImageRow:
    """The bytes did not come, or were refused."""
    return replace(
        row,
        status="queued",
        size=UNKNOWN,
        virtual_size=UNKNOWN,
        checksum="",
        hash_algo="",
        hash_value="",
        digest="",
        data_key="",
        stores="",
        staged_key="",
        staged_size=0,
        touched_at=0,
    )


def deactivate(row: ImageRow) -> ImageRow:
    if row.status not in ("active", "deactivated"):
        raise _not_now(row, "deactivated")
    return replace(row, status="deactivated")


def reactivate(row: ImageRow) -> ImageRow:
    if row.status not in ("active", "deactivated"):
        raise _not_now(row, "active")
    return replace(row, status="active")


def _not_now(row: ImageRow, wanted: str) -> WrongStatus:
    refusal = refuse_move(row, wanted)
    refusal.status, refusal.title = 403, "Forbidden"
    return refusal


def delete(row: ImageRow) -> ImageRow:
    if row.protected:
        raise ImageProtected(f"Image {row.id} is protected and cannot be deleted.")
    return replace(row, status="deleted")
