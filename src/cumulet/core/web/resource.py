"""A noun, declared once: its path, row, fields, owner, lists and verbs. Routes and checks follow.

A handler on the collection is called with (room, call), one on an item with (room, call, row): the row was found among
those the caller may see (else 404) and the verb's rule allowed (else 403) before the handler ran. What a handler
returns is shown: a row through the noun's view, a dict as it is, a Response as it is, None as an empty body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import sqlalchemy as sa

from cumulet.core.db import Query, Row, Transaction
from cumulet.core.errors import NotFound
from cumulet.core.room import Room
from cumulet.core.web.body import Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause, Lister, Listing, Question
from cumulet.core.web.view import View
from cumulet.core.web.wire import Wire

Handler = Callable[..., Awaitable[Any]]
H = TypeVar("H", bound=Handler)

JSON_LIMIT = 112 * 1024
"""Bytes of a JSON body; what the real services allow."""


@dataclass
class Endpoint:
    """One method on one path: the ledger's unit. Everything the front door needs to know."""

    method: str
    path: str
    run: Callable[[Any, Call], Awaitable[Any]]
    status: int | Mapping[str, int] = 200
    since: str = ""
    until: str = ""
    body: Body | None = None
    open: bool = False
    """Needs no token."""
    raw: bool = False
    """The handler reads the body itself."""
    name: str = ""
    limit: int = JSON_LIMIT
    out_of_window: int = 404
    """The status for versions outside the window."""


@dataclass
class Action:
    """One verb of `POST …/action`."""

    name: str
    handler: Handler
    rule: str
    body: Body
    status: int | Mapping[str, int] = 202
    since: str = ""
    until: str = ""


@dataclass
class Listed:
    """A page of rows for the noun's view."""

    rows: Sequence[Any]
    more: bool = False
    brief: bool = False
    beside: dict[str, Any] = field(default_factory=dict)
    """Shown next to the list, such as a count."""


class Owner:
    """The column that says whose a row is."""

    PROJECT = "project_id"
    USER = "user_id"
    NOBODY = ""


class Resource:
    """A noun of a room."""

    def __init__(
        self,
        path: str,
        one: str,
        many: str,
        row: type[Row],
        fields: Sequence[Field],
        *,
        owner: str = Owner.PROJECT,
        addressed_by: str = "id",
        key: str = "",
        listing: Listing | None = None,
        sees_all: str = "context_is_admin",
        sees: Callable[[Call], Clause | None] | None = None,
        parent: Resource | None = None,
        beside: Sequence[Field] = (),
        extra: bool = False,
        target: Callable[[Any], Mapping[str, object] | None] | None = None,
        load: Callable[[Room, Call, str], Awaitable[Any]] | None = None,
        hidden: Clause | None = None,
        missing: type[NotFound] = NotFound,
        wrapped: bool = True,
        selects_fields: bool = False,
        guarded: bool = False,
    ) -> None:
        self.path = path
        self.one = one
        self.many = many
        self.row = row
        self.fields = tuple(fields)
        self.owner = owner
        self.addressed_by = addressed_by
        self.key = key or f"{one.replace('-', '_')}_id"
        """Name of the path parameter that addresses an item."""
        self.listing = listing or Listing()
        self.sees_all = sees_all
        self.parent = parent
        self.beside = tuple(beside)
        self.extra = extra
        self.hidden = hidden
        """Rows that nobody sees any more, such as tombstones, or not yet, such as intents."""
        self.missing = missing
        self.wrapped = wrapped
        """Items are shown under their name: `{"server": {…}}`."""
        self.selects_fields = selects_fields
        """`?fields=id&fields=name` narrows what is shown."""
        self.guarded = guarded
        """Who may not do a thing is told so even where there is nothing: he does not learn which ids exist."""
        self.endpoints: list[Endpoint] = []
        self.actions: dict[str, list[Action]] = {}
        self.view = View(self.fields)
        self.lister = Lister(row)
        self._sees = sees
        self._target = target
        self._load = load
        self._finders: dict[Any, Query] = {}

    # ---- who sees what -------------------------------------------------------------------------------------------

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

    # ---- lists -----------------------------------------------------------------------------------------------------

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

    # ---- showing ---------------------------------------------------------------------------------------------------

    def present(self, call: Call, result: Any) -> Any:
        """What a handler returned, as the body to send."""
        if isinstance(result, self.row):
            shown = self.show_row(call, result)
            return {self.one: shown} if self.wrapped else shown
        if isinstance(result, Listed):
            return self.present_list(call, result)
        return result

    def show_row(self, call: Call, row: Any) -> dict[str, Any]:
        """One row's shown fields."""
        return self.view.render(call, only=self._only(call))(row, call)

    def present_list(self, call: Call, listed: Listed) -> dict[str, Any]:
        """A page of rows with its links."""
        render = self.view.render(call, brief=listed.brief, only=self._only(call))
        shown = [render(row, call) for row in listed.rows]
        marker = str(getattr(listed.rows[-1], self.listing.marker_column)) if listed.more and listed.rows else ""
        request = call.request
        url = call.base + "/" + request.path.partition(call.base.rpartition("/")[2] + "/")[2]
        return call.dialect.page(self.many, shown, url=url, query=request.query, marker=marker) | listed.beside

    def _only(self, call: Call) -> frozenset[str]:
        if not self.selects_fields or call.request.method != "GET":
            return frozenset()
        return frozenset(name for name in call.request.all("fields") if name)

    # ---- verbs -----------------------------------------------------------------------------------------------------

    def create(self, rule: str, *, status: int | Mapping[str, int] = 201, **options: Any) -> Callable[[H], H]:
        return self._collection("POST", rule, status, body=self._body("create"), **options)

    def list(self, rule: str, *, suffix: str = "", **options: Any) -> Callable[[H], H]:
        return self._collection("GET", rule, 200, suffix=suffix, **options)

    def show(self, rule: str, **options: Any) -> Callable[[H], H]:
        return self._item("GET", rule, 200, **options)

    def update(self, rule: str, *, method: str = "PUT", status: int = 200, **options: Any) -> Callable[[H], H]:
        return self._item(method, rule, status, body=self._body("update"), **options)

    def delete(self, rule: str, *, status: int | Mapping[str, int] = 204, **options: Any) -> Callable[[H], H]:
        return self._item("DELETE", rule, status, **options)

    def collection(
        self, method: str, rule: str, *, status: int | Mapping[str, int] = 200, **options: Any
    ) -> Callable[[H], H]:
        """Another method or suffix on the collection: `suffix="/detail"`."""
        return self._collection(method, rule, status, **options)

    def item(
        self, method: str, rule: str, *, status: int | Mapping[str, int] = 200, **options: Any
    ) -> Callable[[H], H]:
        """Another method or suffix on an item: `suffix="/os-volumes"`."""
        return self._item(method, rule, status, **options)

    def action(
        self,
        name: str,
        rule: str,
        *fields: Field,
        status: int | Mapping[str, int] = 202,
        kind: Wire | None = None,
        since: str = "",
        until: str = "",
        extra: bool = False,
    ) -> Callable[[H], H]:
        """A verb of `POST {item}/action`: its fields, or the kind of its value (null, text)."""

        def declare(handler: H) -> H:
            body = Body(name, fields, kind=kind, extra=extra)
            self.actions.setdefault(name, []).append(Action(name, handler, rule, body, status, since, until))
            return handler

        return declare

    def _body(self, verb: str) -> Body:
        beside = self.beside if verb == "create" else ()
        return Body(self.one if self.wrapped else "", self.fields, beside=beside, verb=verb, extra=self.extra)

    def _collection(
        self, method: str, rule: str, status: int | Mapping[str, int], *, suffix: str = "", **options: Any
    ) -> Callable[[H], H]:
        def declare(handler: H) -> H:
            async def run(room: Room, call: Call) -> Any:
                await self.find_parent(room, call)
                if rule:
                    call.allow(rule, self.parent.target(call.parent) if self.parent else None)
                return self.present(call, await handler(room, call))

            self.endpoints.append(Endpoint(method, self.path + suffix, run, status, name=handler.__name__, **options))
            return handler

        return declare

    def _item(
        self,
        method: str,
        rule: str,
        status: int | Mapping[str, int],
        *,
        suffix: str = "",
        guarded: bool | None = None,
        **options: Any,
    ) -> Callable[[H], H]:
        guards = self.guarded if guarded is None else guarded

        def declare(handler: H) -> H:
            async def run(room: Room, call: Call) -> Any:
                await self.find_parent(room, call)
                try:
                    row = await self.find(room, call, call.path[self.key])
                except NotFound:
                    if rule and guards:
                        call.allow(rule, self.parent.target(call.parent) if self.parent else {})
                    raise
                if rule:
                    call.allow(rule, self.target(row))
                return self.present(call, await handler(room, call, row))

            path = f"{self.path}/{{{self.key}}}{suffix}"
            self.endpoints.append(Endpoint(method, path, run, status, name=handler.__name__, **options))
            return handler

        return declare

    async def find_parent(self, room: Room, call: Call) -> None:
        """Find the row that this noun's rows belong to, in `call.parent`."""
        if self.parent:
            call.parent = await self.parent.find(room, call, call.path[self.parent.key])


def seer(call: Call) -> dict[str, str]:
    """The values of the parameters that `sees` may use."""
    return {"caller_project": call.caller.project_id, "caller_user": call.caller.user_id}
