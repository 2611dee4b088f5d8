"""A noun, declared once: its path, row, fields, owner, lists and verbs. Routes and checks follow.

A handler on the collection is called with (room, call), one on an item with (room, call, row): the row was found among
those the caller may see (else 404) and the verb's rule allowed (else 403) before the handler ran. What a handler
returns is shown: a row through the noun's view, a dict as it is, a Response as it is, None as an empty body.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from cumulet.core.db import Row
from cumulet.core.errors import NotFound
from cumulet.core.room import Room
from cumulet.core.web.body import Body, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause, Listing
from cumulet.core.web.seeing import Owner, Seen
from cumulet.core.web.view import View
from cumulet.core.web.wire import Wire

__all__ = ["Action", "Endpoint", "Listed", "Owner", "Resource", "Status"]

Handler = Callable[..., Awaitable[Any]]
H = TypeVar("H", bound=Handler)
Status = int | Mapping[str, int]
"""Of success; where it changed, by the version since when."""

JSON_LIMIT = 112 * 1024
"""Bytes of a JSON body; what the real services allow."""


@dataclass
class Endpoint:
    """One method on one path: the ledger's unit. Everything the front door needs to know."""

    method: str
    path: str
    run: Callable[[Any, Call], Awaitable[Any]]
    status: Status = 200
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
    status: Status = 202
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


class Resource(Seen):
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
        super().__init__(
            one,
            row,
            owner=owner,
            addressed_by=addressed_by,
            listing=listing or Listing(),
            sees_all=sees_all,
            sees=sees,
            target=target,
            load=load,
            hidden=hidden,
            missing=missing,
        )
        self.path = path
        self.many = many
        self.fields = tuple(fields)
        self.key = key or f"{one.replace('-', '_')}_id"
        """Name of the path parameter that addresses an item."""
        self.parent = parent
        self.beside = tuple(beside)
        self.extra = extra
        self.wrapped = wrapped
        """Items are shown under their name: `{"server": {…}}`."""
        self.selects_fields = selects_fields
        """`?fields=id&fields=name` narrows what is shown."""
        self.guarded = guarded
        """Who may not do a thing is told so even where there is nothing: he does not learn which ids exist."""
        self.endpoints: list[Endpoint] = []
        self.actions: dict[str, list[Action]] = {}
        self.view = View(self.fields)

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

    def create(self, rule: str, *, status: Status = 201, **options: Any) -> Callable[[H], H]:
        return self.collection("POST", rule, status=status, body=self.body("create"), **options)

    def list(self, rule: str, **options: Any) -> Callable[[H], H]:
        return self.collection("GET", rule, **options)

    def show(self, rule: str, **options: Any) -> Callable[[H], H]:
        return self.item("GET", rule, **options)

    def update(self, rule: str, *, method: str = "PUT", **options: Any) -> Callable[[H], H]:
        return self.item(method, rule, body=self.body("update"), **options)

    def delete(self, rule: str, *, status: Status = 204, **options: Any) -> Callable[[H], H]:
        return self.item("DELETE", rule, status=status, **options)

    def action(
        self,
        name: str,
        rule: str,
        *fields: Field,
        status: Status = 202,
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

    def body(self, verb: str) -> Body:
        """What is sent to make a thing or to change it."""
        beside = self.beside if verb == "create" else ()
        return Body(self.one if self.wrapped else "", self.fields, beside=beside, verb=verb, extra=self.extra)

    def collection(
        self, method: str, rule: str, *, status: Status = 200, suffix: str = "", **options: Any
    ) -> Callable[[H], H]:
        """Another method or suffix on the collection: `suffix="/detail"`."""

        def declare(handler: H) -> H:
            async def run(room: Room, call: Call) -> Any:
                await self.find_parent(room, call)
                if rule:
                    call.allow(rule, self.parent.target(call.parent) if self.parent else None)
                return self.present(call, await handler(room, call))

            self.endpoints.append(Endpoint(method, self.path + suffix, run, status, name=handler.__name__, **options))
            return handler

        return declare

    def item(
        self,
        method: str,
        rule: str,
        *,
        status: Status = 200,
        suffix: str = "",
        guarded: bool | None = None,
        **options: Any,
    ) -> Callable[[H], H]:
        """Another method or suffix on an item: `suffix="/os-volumes"`."""
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
