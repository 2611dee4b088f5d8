"""What identity's nouns have in common: links to themselves, unknown fields that are kept, comparisons in filters."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, TypeVar

import msgspec
import sqlalchemy as sa

from cumulet.core.db import Row, Transaction
from cumulet.core.errors import NotFound
from cumulet.core.room import Room
from cumulet.core.web.body import Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Clause, Filter, Listing, Question, ask
from cumulet.core.web.resource import Listed, Owner, Resource
from cumulet.core.web.view import Render, View
from cumulet.core.web.wire import AnyObject, parse_bool
from cumulet.services.identity.errors import InvalidValue

MOST_LISTED = 10_000
"""Rows of a page. The real service lists all; here a list has an end, and a link to the next page."""

Source = Callable[[Any, Any], Any]
R = TypeVar("R", bound=Row)


def link(path: str, column: str = "id") -> Source:
    """Source of `links`: the noun's own address."""
    return lambda row, call: {"self": f"{call.base}{path}/{getattr(row, column)}"}


class KeepingView(View):
    """Shows the fields that were kept beside the known ones, and leaves some out while they have no value."""

    def __init__(self, fields: Sequence[Field], keeps: bool, absent: Collection[str]) -> None:
        super().__init__(fields)
        self._keeps = keeps
        self._absent = frozenset(absent)

    def render(self, call: Call, *, brief: bool = False, only: frozenset[str] = frozenset()) -> Render:
        plain = super().render(call, brief=brief, only=only)
        if not self._keeps and not self._absent:
            return plain
        keeps, absent = self._keeps, self._absent

        def show(row: Any, call: Call) -> dict[str, Any]:
            shown = plain(row, call)
            for name in absent:
                if shown[name] is None:
                    del shown[name]
            if keeps and row.extra != "{}":
                return {**msgspec.json.decode(row.extra), **shown}
            return shown

        return show


class Noun(Resource):
    """A noun of identity. Nobody owns it: rules alone say who may see it."""

    def __init__(
        self,
        path: str,
        one: str,
        many: str,
        row: type[Row],
        fields: Sequence[Field],
        *,
        filters: Sequence[Filter] = (),
        target: Callable[[Any], Mapping[str, object]] | None = None,
        missing: type[NotFound] = NotFound,
        absent: Collection[str] = (),
        hidden: Clause | None = None,
        key: str = "",
        extra: bool = True,
        load: Callable[..., Any] | None = None,
        parent: Resource | None = None,
        guarded: bool = True,
        links: Source | None = None,
    ) -> None:
        super().__init__(
            path,
            one,
            many,
            row,
            [*fields, Field("links", AnyObject, source=links or link(path))],
            owner=Owner.NOBODY,
            listing=Listing(filters=filters, default_sort=(("id", "asc"),), most=MOST_LISTED),
            target=target,
            missing=missing,
            hidden=hidden,
            key=key,
            extra=extra,
            load=load,
            parent=parent,
            guarded=guarded,
        )
        self.view = KeepingView(self.fields, keeps="extra" in row.__struct_fields__, absent=absent)
        self._known = {field.name for field in self.fields}

    def listed(self, rule: str) -> None:
        """Declare a list that nothing narrows but its filters."""

        async def index(room: Room, call: Call) -> Listed:
            async with room.database.read() as tx:
                return Listed(*await self.page(tx, call, ask(self.listing, self.row, call)))

        self.list(rule)(index)

    def shown(self, rule: str) -> None:
        """Declare that an item is shown as it is."""

        async def show(room: Room, call: Call, row: Row) -> Row:
            return row

        self.show(rule)(show)

    async def changed(self, tx: Transaction, row: R, changes: Mapping[str, Any]) -> R:
        """The row after these changes. Raises the noun's error where it went in the meantime."""
        id_: str = row.id  # type: ignore[attr-defined]
        if changes:
            await tx.update(self.row, {"id": id_}, **changes)
        after = await tx.get(type(row), id=id_)
        if after is None:
            raise self.missing(f"Could not find {self.one.replace('_', ' ')}: {id_}.")
        return after

    def extras(self, call: Call, row: Any = None) -> str:
        """The kept fields after this request, as the column's text. Raises InvalidValue for another id."""
        given: dict[str, Any] = call.wish.get("extra", {})
        if row is not None and given.get("id", row.id) != row.id:
            raise InvalidValue(f"id: the id of a {self.one} cannot be changed.")
        kept = msgspec.json.decode(row.extra) if row is not None else {}
        kept |= {name: value for name, value in given.items() if name not in self._known}
        return msgspec.json.encode(kept).decode()


def exact(row: type[Row], name: str) -> list[Filter]:
    """Filters on a text column: equal, and the inexact comparisons that the API has (`name__contains=…`)."""
    return [Filter(name), *(_inexact(row, name, word) for word in _COMPARISONS)]


def boolean(name: str) -> Filter:
    """A filter on a boolean; `?enabled` without a value means true, as the API has it."""
    return Filter(name, parse=lambda text: parse_bool(text) if text else True)


_COMPARISONS = ("contains", "startswith", "endswith", "icontains", "istartswith", "iendswith")


def _inexact(row: type[Row], name: str, word: str) -> Filter:
    """A comparison with a part of a text; with an `i` in front, upper and lower case are the same."""
    bound = f"{name}_{word}"
    value = sa.bindparam(bound, type_=sa.String)
    like = row.c[name].ilike if word.startswith("i") else row.c[name].like
    before = "" if word.endswith("startswith") else "%"
    after = "" if word.endswith("endswith") else "%"

    def clause(values: list[Any]) -> tuple[str, Clause, Mapping[str, Any]]:
        text = values[-1].replace("/", "//").replace("%", "/%").replace("_", "/_")
        return bound, like(value, escape="/"), {bound: f"{before}{text}{after}"}

    return Filter(f"{name}__{word}", clause=clause)


def of_domain(call: Call, question: Question, row: type[Row], column: str = "domain_id") -> None:
    """Whose token is for a domain sees what belongs to that domain."""
    if call.caller.domain_id:
        bound = sa.bindparam("own_domain", type_=sa.String)
        question.where("own domain", row.c[column] == bound, {"own_domain": call.caller.domain_id})


def domain_target(call: Call) -> dict[str, object]:
    """What a rule may ask about a list: the domain that it is narrowed to."""
    return {"target": known(domain_id=call.caller.domain_id)}


def known(**values: Any) -> dict[str, Any]:
    """The values that there are. A rule compares as text: an absent domain would equal that of a caller without one."""
    return {name: value for name, value in values.items() if value not in ("", None)}


def token_domain(call: Call) -> str:
    """The domain that is meant where a request names none: that of the caller's scope, else the default one."""
    return call.caller.domain_id or call.caller.project_domain_id or "default"


def given_options(row: Any, wish: dict[str, Any]) -> str:
    """The options after a request: a null unsets one."""
    options: dict[str, Any] = row.chosen if row is not None else {}
    options |= wish.get("options") or {}
    return msgspec.json.encode({name: value for name, value in options.items() if value is not None}).decode()
