"""What is remembered of a move."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, BigInt, Instant, Json, Name, Ref, Row, Short, stored

EVACUATION, RESIZE, COLD, LIVE = "evacuation", "resize", "migration", "live-migration"
"""The kinds of moves, as the API calls them."""


@stored(
    "compute_moves",
    sa.Index("compute_moves_open", "server_id", "open", unique=True),
    sa.Index("compute_moves_number", "number", unique=True),
    sa.Index("compute_moves_updated", "updated_at"),
)
class MoveRow(Row):
    """A move. At most one of a server is open."""

    id: Annotated[str, sa.String(36), PRIMARY]
    number: BigInt
    """The integer by which the API knows it."""
    server_id: Ref
    project_id: Ref
    user_id: Ref
    kind: Short
    """`RESIZE`, `COLD`, `LIVE` or `EVACUATION`."""
    open: Short | None
    """`open`, or None when it ended: unlike text, nulls may repeat in the unique index."""
    wish: Short
    """`go`, `confirm`, `revert`; of a live move `go`, `abort`, `force`."""
    status: Short
    source: Name
    destination: Name
    host_wanted: Name
    forced: bool
    """The host was not to be asked whether it is a good one."""
    secret: Short
    """Of both hosts, for as long as the move is open."""
    old_flavor: Json
    new_flavor: Json
    power: Short
    """What was wanted of the server when the move began, and is wanted again at its end."""
    fails_since: Instant
    """Of a live move: since when one of its hosts fails at it, and tries again. 0: none does."""
    created_at: Instant
    updated_at: Instant
