"""Whose the rows of a noun are, who may see them, and how one or a page of them is found."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Query, Row, Transaction
from cumulet.core.errors import NotFound
from cumulet.core.room import Room
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause, Lister, Listing, Question


class Owner:
    """The column that says whose a row is."""

    PROJECT = "project_id"
    USER = "user_id"
    NOBODY = ""


class Seen:
    """The rows of a noun, as far as a caller may see them."""

    def __init__(
        self,
        one: str,
        row: type[Row],
        *,
        owner: str,
        addressed_by: str,
        listing: Listing,
        sees_all: str,
        sees: Callable[[Call], Clause | None] | None,
        target: Callable[[Any], Mapping[str, object] | None] | None,
        load: Callable[[Room, Call, str], Awaitable[Any]] | None,
        hidden: Clause | None,
        missing: type[NotFound],
    ) -> None:
        self.one = one
        self.row = row
        self.owner = owner
        self.addressed_by = addressed_by
        self.listing = listing
        self.sees_all = sees_all
        self.hidden = hidden
        """Rows that nobody sees any more, such as tombstones, or not yet, such as intents."""
        self.missing = missing
        self.lister = Lister(row)
        self._sees = sees
        self._target = target
        self._load = load
        self._finders: dict[Any, Query] = {}

    def sees(self, call: Call) -> Clause | None:
        """The predicate of the rows this caller may see; None: all. It may use :caller_project and :caller_user."""
        if self._sees:
            return self._sees(call)
        if not self.owner or call.may(self.sees_all):
            return None
        return self._own

    @cached_property
    def _own(self) -> Clause:
        bound = "caller_project" if self.owner == Owner.PROJECT else "caller_user"
        return self.row.c[self.owner] == sa.bindparam(bound, type_=sa.String)

    def target(self, row: Any) -> Mapping[str, object] | None:
        """What a rule may ask about a row; None: it is as much the caller's own as anybody's."""
        if self._target:
            return self._target(row)
        project = getattr(row, "project_id", None)
        return {"project_id": project, "tenant_id": project, "user_id": getattr(row, "user_id", None)}

    async def find(self, room: Room, call: Call, key: str) -> Any:
        """The row of this key among those the caller may see. Raises the noun's NotFound."""
        row = await self._load(room, call, key) if self._load else await self._find(room, call, key)
        if row is None:
            raise self.missing(f"{self.one.replace('_', ' ').capitalize()} {key[:64]} could not be found.")
        return row

    async def _find(self, room: Room, call: Call, key: str) -> Any:
        if len(key) > 255 or "\x00" in key:
            return None
        clause = self.sees(call)
        shape = id(clause)
        query = self._finders.get(shape)
        if query is None:
            column = self.row.c[self.addressed_by]
            statement = sa.select(self.row.table).where(column == sa.bindparam("key", type_=sa.String))
            for narrowed in (clause, self.hidden):
                if narrowed is not None:
                    statement = statement.where(narrowed)
            query = Query(statement)
            if len(self._finders) < 64:
                self._finders[shape] = query
        async with room.database.read() as tx:
            rows = await tx.rows(self.row, query, {"key": key, **seer(call)})
        return rows[0] if rows else None

    async def page(self, tx: Transaction, call: Call, question: Question) -> tuple[list[Any], bool]:
        """The rows of a list that this caller may see, and whether more follow."""
        self.narrow(call, question)
        return await self.lister.page(tx, question, self.listing.marker_column)

    def narrow(self, call: Call, question: Question) -> None:
        """Keep a question to what the caller may see."""
        clause = self.sees(call)
        every = self.listing.all_projects
        if clause is None and self.owner and every and not self._asks_for_all(call, every):
            clause = self._own
        if clause is not None:
            question.where(("sees", id(clause)), clause, seer(call))
        if self.hidden is not None:
            question.where("hidden", self.hidden)

    @staticmethod
    def _asks_for_all(call: Call, parameter: str) -> bool:
        given = call.request.one(parameter)
        return given is not None and given.lower() not in ("0", "false", "f", "no", "off", "n")


def seer(call: Call) -> dict[str, str]:
    """The values of the parameters that `sees` may use."""
    return {"caller_project": call.caller.project_id, "caller_user": call.caller.user_id}
