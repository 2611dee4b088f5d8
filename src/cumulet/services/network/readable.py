"""What is read of a noun: which rows a caller sees, by what they are filtered and sorted, what rules ask about them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Row, Transaction
from cumulet.core.errors import NotFound
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause, Filter, Listing, Question, ask
from cumulet.core.web.resource import Endpoint, Listed, Owner, Resource
from cumulet.services.network import rbac
from cumulet.services.network.errors import HTTPBadRequest
from cumulet.services.network.facets import Facet
from cumulet.services.network.querying import PAGING, column_of, is_reversed, page_links, parser_of, sorted_by
from cumulet.services.network.room import Network

MOST_LISTED = 5000


class Readable(Resource):
    """A noun as it is read. Each attribute that a column holds is a filter; `one` names its rules."""

    def __init__(
        self,
        path: str,
        one: str,
        many: str,
        row: type[Row],
        facets: Sequence[Facet],
        *,
        missing: type[NotFound],
        sees: Callable[[Call], Clause | None] | None = None,
        aspects: Callable[[Call, Any], Mapping[str, object]] | None = None,
        filters: Sequence[Filter] = (),
        owner: str = Owner.PROJECT,
        rule: str = "",
        key: str = "",
        default_sort: Sequence[tuple[str, str]] = (("id", "asc"),),
        marker_column: str = "id",
        parent: Readable | None = None,
        parent_column: str = "",
        hidden: Clause | None = None,
    ) -> None:
        """`aspects`: what else rules may ask about a row."""
        fields = [field for facet in facets for field in facet.fields]
        columns = {field.name: column_of(row, field.source or field.name) for field in fields}
        self.columns = {name: column for name, column in columns.items() if column}
        found = [Filter(name, column, parser_of(row, column)) for name, column in self.columns.items()]
        special = [filter_ for facet in facets for filter_ in facet.filters] + list(filters)
        named = {filter_.name for filter_ in special}
        listing = Listing(
            filters=[*(filter_ for filter_ in found if filter_.name not in named), *special],
            sorts=self.columns,
            default_sort=default_sort,
            marker_column=marker_column,
            most=MOST_LISTED,
        )
        super().__init__(
            path,
            one,
            many,
            row,
            fields,
            owner=owner,
            sees=sees,
            missing=missing,
            listing=listing,
            selects_fields=True,
            key=key,
            parent=parent,
            hidden=hidden,
        )
        self.facets = tuple(facets)
        self.of = parent
        self.of_column = parent_column
        self.rule = rule or one
        self._aspects = aspects

    def reads(self, lists: Callable[..., Awaitable[Any]] | None = None) -> None:
        """Lists and single rows may be read."""
        self.endpoints.append(Endpoint("GET", self.path, lists or self.listed, name=f"list_{self.many}"))
        self.shows()

    def shows(self) -> None:
        """Single rows may be read."""
        self.endpoints.append(Endpoint("GET", f"{self.path}/{{{self.key}}}", self._show, name=f"show_{self.one}"))

    # ---- one row -----------------------------------------------------------------------------------------------------

    async def _show(self, room: Network, call: Call) -> Any:
        async with room.database.read() as tx:
            row = await self.sought(tx, call, call.path[self.key])
        self.allow_sight(call, row, self.target_of(call, row))
        return {self.one: self.show_row(call, row)}

    def narrow(self, call: Call, question: Question) -> None:
        """Keep a question to what the caller may see, and to what belongs to the row named before it."""
        super().narrow(call, question)
        if self.of:
            column = self.row.c[self.of_column]
            question.where("of", column == sa.bindparam("of_parent", type_=sa.String), {"of_parent": call.parent.id})

    async def sought(self, tx: Transaction, call: Call, key: str) -> Any:
        """The row of this key among those the caller may see, read in this transaction."""
        rows: list[Any] = []
        if len(key) <= 64:
            question = Question()
            question.where("key", self.row.c.id == sa.bindparam("key", type_=sa.String), {"key": key})
            await self.enter_parent(tx, call)
            self.narrow(call, question)
            rows, _ = await self.lister.page(tx, question, "id")
        if not rows:
            raise self.no_such(key)
        return rows[0]

    def no_such(self, key: str) -> NotFound:
        """The refusal for a row that is not there for this caller."""
        return self.missing(f"{self.one.replace('_', ' ').capitalize()} {key[:64]} could not be found.")

    async def enter_parent(self, tx: Transaction, call: Call) -> None:
        """Find the row that this noun's rows belong to, as `call.parent`."""
        if self.of:
            call.parent = await self.of.sought(tx, call, call.path[self.of.key])

    # ---- lists -------------------------------------------------------------------------------------------------------

    async def listed(self, room: Network, call: Call) -> Any:
        """A page of what the caller may see."""
        async with room.database.read() as tx:
            await self.enter_parent(tx, call)
            rows, more = await self.page(tx, call, self.question(call))
        return self.present_list(call, Listed(self.permitted(call, rows), more))

    def permitted(self, call: Call, rows: Sequence[Any]) -> list[Any]:
        """The rows that the rule for reading allows; asked once for each kind of target, not once a row."""
        answers: dict[tuple[object, ...], bool] = {}
        kept = []
        unlimited = rbac.sees_all(call)
        for row in rows:
            target = self.target_of(call, row, unlimited)
            kind = tuple(target.values())
            allowed = answers.get(kind)
            if allowed is None:
                allowed = answers[kind] = call.may(f"get_{self.rule}", target)
            if allowed:
                kept.append(row)
        return kept

    def question(self, call: Call) -> Question:
        """What the query string asks. Raises HTTPBadRequest for what is no attribute."""
        known = {filter_.name for filter_ in self.listing.filters} | PAGING
        names = {name for name, _ in call.request.query}
        if names - known:
            invalid = ", ".join(repr(name[:60]) for name in sorted(names - known))
            raise HTTPBadRequest(f"[{invalid}] is invalid attribute for filtering")
        try:
            question = ask(self.listing, self.row, call)
        except ValueError as error:
            raise HTTPBadRequest(f"Invalid value for a filter: {error}") from error
        keys, directions = call.request.all("sort_key"), call.request.all("sort_dir")
        question.sort = sorted_by(keys, directions, self.columns, self.listing.default_sort)
        question.reverse = is_reversed(call.request.query)
        return question

    def present_list(self, call: Call, listed: Listed) -> dict[str, Any]:
        """A page and the ways to its neighbours."""
        render = self.view.render(call, only=self._only(call))
        body: dict[str, Any] = {self.many: [render(row, call) for row in listed.rows]}
        if call.request.one("limit") is not None or listed.more:
            url = call.base + self._path_in(call)
            markers = [getattr(row, self.listing.marker_column) for row in listed.rows]
            body[f"{self.many}_links"] = page_links(url, call.request.query, markers, more=listed.more)
        return body

    def _path_in(self, call: Call) -> str:
        path = self.path
        for name, value in call.path.items():
            path = path.replace(f"{{{name}}}", value)
        return path

    # ---- who may see -------------------------------------------------------------------------------------------------

    def target_of(self, call: Call, row: Any, unlimited: bool | None = None) -> dict[str, object]:
        """What rules may ask about a row.

        Another project's row was found because it is shared in some way, unless the caller sees every row (`unlimited`;
        None: to be found out).
        """
        project = getattr(row, "project_id", "")
        shared = project != call.caller.project_id
        if shared and (rbac.sees_all(call) if unlimited is None else unlimited):
            shared = rbac.EVERYBODY in getattr(row, "shared_with", "")
        found: dict[str, object] = {"project_id": project, "tenant_id": project, "shared": shared}
        if call.parent is not None:
            found["ext_parent:project_id"] = call.parent.project_id
        return found | dict(self._aspects(call, row)) if self._aspects else found

    def allow_sight(self, call: Call, row: Any, target: Mapping[str, object]) -> None:
        if not call.may(f"get_{self.rule}", target):
            raise self.no_such(row.id)
