"""A noun as this service speaks of it: made one or many at a time, each attribute a filter, rules down to attributes.

The operations of a noun run inside the transaction that writes: what a port may be depends on its network, its subnets
and its groups, so they are looked at and changed as one. A refusal undoes it all, also of a request for many.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Row, Transaction
from cumulet.core.errors import NotFound
from cumulet.core.web.call import Call
from cumulet.core.web.dialects.base import with_marker
from cumulet.core.web.listing import Clause, Filter, Listing, Question, ask
from cumulet.core.web.resource import Endpoint, Listed, Owner, Resource
from cumulet.core.web.wire import parse_bool
from cumulet.lib.numbers import whole, whole_or_none
from cumulet.services.network import rbac
from cumulet.services.network.attributes import Attributes, read_object, read_one, read_some
from cumulet.services.network.errors import HTTPBadRequest, RevisionNumberConstraintFailed
from cumulet.services.network.facets import Facet, OrNull
from cumulet.services.network.room import Network
from cumulet.services.network.standard import TagRow, set_tags

Operation = Callable[..., Awaitable[Any]]
O = TypeVar("O", bound=Operation)  # noqa: E741

PAGING = frozenset({"fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse"})
MOST_LISTED = 5000


class Noun(Resource):
    """A resource of this service. `one` names its rules: `create_port`, `get_port:binding:host_id`."""

    def __init__(
        self,
        path: str,
        one: str,
        many: str,
        row: type[Row],
        facets: Sequence[Facet],
        *,
        missing: type[NotFound],
        quota: str = "",
        sees: Callable[[Call], Clause | None] | None = None,
        aspects: Callable[[Call, Any], Mapping[str, object]] | None = None,
        surroundings: Callable[[Transaction, dict[str, Any]], Awaitable[Mapping[str, object]]] | None = None,
        filters: Sequence[Filter] = (),
        owner: str = Owner.PROJECT,
        rule: str = "",
        key: str = "",
        default_sort: Sequence[tuple[str, str]] = (("id", "asc"),),
        marker_column: str = "id",
        parent: Noun | None = None,
        parent_column: str = "",
        hidden: Clause | None = None,
        veiled: bool = False,
    ) -> None:
        """`veiled`: who may only see one is told that it is not there when he wants to change it."""
        fields = [field for facet in facets for field in facet.fields]
        columns = {field.name: _column(row, field.source or field.name) for field in fields}
        self.columns = {name: column for name, column in columns.items() if column}
        found = [Filter(name, column, _parser(row, column)) for name, column in self.columns.items()]
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
        self._of_column = parent_column
        self.rule = rule or one
        self.attributes = Attributes(fields)
        self.quota = quota
        self.around_update: Callable[..., AbstractAsyncContextManager[None]] = lambda *_: nullcontext()
        """What a neighbour must have done before an update is written, and undoes when it is not."""
        self._aspects = aspects
        self._veiled = veiled
        self._surroundings = surroundings

    # ---- declaring -------------------------------------------------------------------------------------------------

    def reads(self, lists: Operation | None = None) -> None:
        """Lists and single rows may be read."""
        self.endpoints.append(Endpoint("GET", self.path, lists or self.listed, name=f"list_{self.many}"))
        self.shows()

    def shows(self) -> None:
        """Single rows may be read."""
        self.endpoints.append(Endpoint("GET", f"{self.path}/{{{self.key}}}", self._show, name=f"show_{self.one}"))

    def creating(self, operation: O) -> O:
        """`operation(room, call, tx, wish) -> row`, once for each thing that is asked for."""

        async def run(room: Network, call: Call) -> Any:
            items, bulk = read_some(await call.request.body(endpoint.limit), self.one, self.many)
            wishes = [self.attributes.for_create(item) for item in items]

            async def write(tx: Transaction) -> list[Any]:
                if self.of:
                    # Who may not do this to what is his own need not be told what else there is.
                    own = {**call.own, "ext_parent:project_id": call.caller.project_id}
                    call.allow(f"create_{self.rule}", own)
                await self.enter_parent(tx, call)
                made = []
                for item, wish in zip(items, wishes, strict=True):
                    mine = dict(wish)
                    await self._admit_creation(room, call, tx, item, mine)
                    made.append(await operation(room, call, tx, mine))
                    if mine.get("tags"):
                        await set_tags(tx, made[-1].id, mine["tags"])
                return made

            rows = await room.database.write(write)
            shown = [self.show_row(call, row) for row in rows]
            return {self.many: shown} if bulk else {self.one: shown[0]}

        endpoint = Endpoint("POST", self.path, run, 201, raw=True, name=f"create_{self.one}", limit=1 << 20)
        self.endpoints.append(endpoint)
        return operation

    def updating(self, operation: O) -> O:
        """`operation(room, call, tx, row, wish) -> row`, inside what surrounds updates of this noun."""

        async def run(room: Network, call: Call) -> Any:
            given = read_one(await call.request.body(endpoint.limit), self.one)
            wish = self.attributes.for_update(given)

            async def write(tx: Transaction) -> Any:
                row = await self.sought(tx, call, call.path[self.key])
                self._match_revision(call, row)
                self.allow_change(call, row, f"update_{self.rule}", given)
                return await operation(room, call, tx, row, dict(wish))

            async with self.around_update(room, call, given, wish):
                row = await room.database.write(write)
            return {self.one: self.show_row(call, row)}

        endpoint = Endpoint("PUT", f"{self.path}/{{{self.key}}}", run, raw=True, name=f"update_{self.one}")
        self.endpoints.append(endpoint)
        return operation

    def deleting(self, operation: O) -> O:
        """`operation(room, call, tx, row)` looks whether it may go and removes what hangs on it; then the row goes."""

        async def run(room: Network, call: Call) -> None:
            async def write(tx: Transaction) -> None:
                row = await self.sought(tx, call, call.path[self.key])
                self._match_revision(call, row)
                self.allow_change(call, row, f"delete_{self.rule}", {})
                await operation(room, call, tx, row)
                await self.remove(room, tx, row)

            await room.database.write(write)

        self.endpoints.append(
            Endpoint("DELETE", f"{self.path}/{{{self.key}}}", run, 204, name=f"delete_{self.one}", raw=True)
        )
        return operation

    def verb(self, suffix: str, rule: str, *, status: int = 200, method: str = "PUT") -> Callable[[O], O]:
        """`PUT {item}/suffix`: `operation(room, call, tx, row, body) -> what is shown`."""

        def declare(operation: O) -> O:
            async def run(room: Network, call: Call) -> Any:
                raw = await call.request.body(endpoint.limit)
                body = read_object(raw) if raw else {}

                async def write(tx: Transaction) -> Any:
                    row = await self.sought(tx, call, call.path[self.key])
                    self._match_revision(call, row)
                    self.allow_change(call, row, rule, {})
                    return await operation(room, call, tx, row, body)

                result = await room.database.write(write)
                return {self.one: self.show_row(call, result)} if isinstance(result, self.row) else result

            path = f"{self.path}/{{{self.key}}}/{suffix}"
            endpoint = Endpoint(method, path, run, status, raw=True, name=suffix)
            self.endpoints.append(endpoint)
            return operation

        return declare

    # ---- writing rows ----------------------------------------------------------------------------------------------

    async def save(self, room: Network, tx: Transaction, row: Any, **changes: Any) -> Any:
        """Write changed columns; the revision rises only if something did change."""
        changed = {name: value for name, value in changes.items() if getattr(row, name) != value}
        if not changed:
            return row
        if "revision" in type(row).__struct_fields__:
            changed |= {"updated_at": room.clock.now(), "revision": row.revision + 1}
        await tx.update(self.row, {"id": row.id}, **changed)
        return msgspec.structs.replace(row, **changed)

    async def remove(self, room: Network, tx: Transaction, row: Any) -> None:
        """Delete a row with its tags, and count it out."""
        within = {self._of_column: getattr(row, self._of_column)} if self._of_column else {}
        if await tx.delete(self.row, id=row.id, **within):
            await tx.delete(TagRow, resource_id=row.id)
            if self.quota:
                await room.quota.give_back(tx, row.project_id, **{self.quota: 1})

    async def enter_parent(self, tx: Transaction, call: Call) -> None:
        """Find the row that this noun's rows belong to, as `call.parent`."""
        if self.of:
            call.parent = await self.of.sought(tx, call, call.path[self.of.key])

    # ---- who may ---------------------------------------------------------------------------------------------------

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

    async def _admit_creation(
        self, room: Network, call: Call, tx: Transaction, given: Mapping[str, Any], wish: dict[str, Any]
    ) -> None:
        """Fill in the owner, ask the rules, count it."""
        project = wish.setdefault("project_id", call.caller.project_id)
        if project != call.caller.project_id and not call.may("context_is_admin") and not call.may("service_api"):
            raise HTTPBadRequest(
                "Specifying 'project_id' or 'tenant_id' other than the authenticated project in request requires "
                "admin privileges"
            )
        around = await self._surroundings(tx, wish) if self._surroundings else {}
        target = {**wish, "tenant_id": project, **around}
        if call.parent is not None:
            target["ext_parent:project_id"] = call.parent.project_id
        call.allow(f"create_{self.rule}", target)
        self.allow_attributes(call, f"create_{self.rule}", given, target)
        if self.quota:
            await room.quota.take(tx, project, **{self.quota: 1})

    def allow_change(self, call: Call, row: Any, rule: str, given: Mapping[str, Any]) -> None:
        """Refuse who may not see it as if it were not there, and who may not change it for what he is."""
        target = self.target_of(call, row)
        self._allow_sight(call, row, target)
        # As everywhere in the rule language: what no rule names falls to the one called `default`.
        asked = rule if rule in call.rules else "default"
        if self._veiled and not call.may(asked, target):
            raise self.no_such(row.id)
        call.allow(asked, target)
        self.allow_attributes(call, rule, given, {**target, **given})

    def allow_attributes(self, call: Call, rule: str, given: Mapping[str, Any], target: Mapping[str, object]) -> None:
        """Ask the rules of single attributes, and of what stands inside them, where there are any."""
        for name, value in given.items():
            own = f"{rule}:{name}"
            if own not in call.rules:
                continue
            call.allow(own, target)
            inner = value if isinstance(value, list) else [value]
            for key in {key for item in inner if isinstance(item, dict) for key in item}:
                if f"{own}:{key}" in call.rules:
                    call.allow(f"{own}:{key}", target)

    def _allow_sight(self, call: Call, row: Any, target: Mapping[str, object]) -> None:
        if not call.may(f"get_{self.rule}", target):
            raise self.no_such(row.id)

    def _match_revision(self, call: Call, row: Any) -> None:
        wanted = call.request.headers.get("if-match", "")
        if not wanted:
            return
        name, _, number = wanted.partition("=")
        try:
            revision = whole(number.strip() if name.strip() == "revision_number" else "")
        except ValueError as error:
            raise HTTPBadRequest("If-Match must say revision_number=N") from error
        if revision != row.revision:
            raise RevisionNumberConstraintFailed(
                f"Constrained to {revision}, but current revision is {row.revision}. Read it again, then retry."
            )

    # ---- finding and listing ---------------------------------------------------------------------------------------

    def narrow(self, call: Call, question: Question) -> None:
        """Keep a question to what the caller may see, and to what belongs to the row named before it."""
        super().narrow(call, question)
        if self.of:
            column = self.row.c[self._of_column]
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

    async def _show(self, room: Network, call: Call) -> Any:
        async with room.database.read() as tx:
            row = await self.sought(tx, call, call.path[self.key])
        self._allow_sight(call, row, self.target_of(call, row))
        return {self.one: self.show_row(call, row)}

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
        if len(keys) != len(directions) and directions:
            raise HTTPBadRequest("The number of sort_keys and sort_dirs must be same")
        question.sort = self._sort(keys, directions)
        reverse = call.request.one("page_reverse")
        question.reverse = reverse is not None and reverse.lower() in ("true", "1")
        return question

    def _sort(self, keys: Sequence[str], directions: Sequence[str]) -> list[tuple[str, str]]:
        chosen: dict[str, str] = {}
        for place, key in enumerate(keys):
            if key not in self.columns:
                raise HTTPBadRequest(f"['{key[:60]}'] is invalid attribute for sort_key")
            direction = directions[place] if directions else "asc"
            if direction not in ("asc", "desc"):
                raise HTTPBadRequest(f"'{direction[:20]}' is invalid value for sort_dir; use asc or desc")
            chosen.setdefault(self.columns[key], direction)
        for column, direction in self.listing.default_sort:
            chosen.setdefault(column, direction)
        return list(chosen.items())

    def present_list(self, call: Call, listed: Listed) -> dict[str, Any]:
        """A page and the ways to its neighbours."""
        render = self.view.render(call, only=self._only(call))
        body: dict[str, Any] = {self.many: [render(row, call) for row in listed.rows]}
        request = call.request
        if request.one("limit") is None and not listed.more:
            return body
        reverse = (request.one("page_reverse") or "").lower() in ("true", "1")
        asked = whole_or_none(request.one("limit") or "") or 0
        full = listed.more or 0 < asked <= len(listed.rows)
        url = call.base + self.path_of(call)
        kept = [(name, value) for name, value in request.query if name != "page_reverse"]
        links = []
        # A page that is not full is the last one, whichever way one goes.
        back = [*kept, ("page_reverse", "True")]
        if listed.rows and (full or reverse):
            last = getattr(listed.rows[-1], self.listing.marker_column)
            links.append({"rel": "next", "href": with_marker(url, kept, last)})
        if listed.rows and (full or not reverse):
            first = getattr(listed.rows[0], self.listing.marker_column)
            links.append({"rel": "previous", "href": with_marker(url, back, first)})
        elif not listed.rows and not reverse:
            links.append({"rel": "previous", "href": with_marker(url, back, "")})
        body[f"{self.many}_links"] = links
        return body

    def path_of(self, call: Call) -> str:
        path = self.path
        for name, value in call.path.items():
            path = path.replace(f"{{{name}}}", value)
        return path


def _column(row: type[Row], source: Any) -> str:
    """The column that a field shows; empty where it is made of more than one."""
    name = source.column if isinstance(source, OrNull) else source
    return name if isinstance(name, str) and name in row.c else ""


def _parser(row: type[Row], column: str) -> Callable[[str], Any]:
    kind = row.c[column].type
    if isinstance(kind, sa.Boolean):
        return parse_bool
    if isinstance(kind, sa.Integer):
        return number_within(2**63 if isinstance(kind, sa.BigInteger) else 2**31)
    return str


def number_within(beyond: int) -> Callable[[str], int]:
    """Numbers that a column can be compared with; some databases refuse others with an error of their own."""

    def parse(text: str) -> int:
        value = int(text[:24])
        if not -beyond <= value < beyond:
            raise ValueError(f"{text[:24]} is out of range")
        return value

    return parse
