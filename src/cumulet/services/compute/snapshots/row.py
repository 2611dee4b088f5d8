"""What is remembered of an image that is being made of a server."""

from __future__ import annotations

from typing import Annotated

import msgspec
import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Instant, Json, Ref, Row, Short, stored

INTENT, STALE = "intent", "stale"
"""The kinds of one whose server does not know of it yet, and of one whose server never will."""


@stored("compute_snapshots", sa.Index("compute_snapshots_server", "server_id"))
class SnapshotRow(Row):
    """An image that a server's disk is being copied into. The row goes when that ended."""

    id: Annotated[str, sa.String(36), PRIMARY]
    """The image's."""
    server_id: Ref
    kind: Short
    """`snapshot`, `backup` or `shelve`; `intent` until the server's row says so too, `stale` if it never did."""
    rotation: int
    copies: Json
    """What the image stands for when it has no bytes: snapshots that are to be taken of volumes."""
    attempts: int
    created_at: Instant


class Copy(msgspec.Struct):
    """A snapshot that belongs to an image."""

    volume_id: str
    snapshot_id: str
    name: str


_copies = msgspec.json.Decoder(list[Copy])


def copies_of(row: SnapshotRow) -> list[Copy]:
    return _copies.decode(row.copies)
