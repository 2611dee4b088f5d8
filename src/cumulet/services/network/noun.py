"""A noun as this service speaks of it: made one or many at a time, each attribute a filter, rules down to attributes.

The operations of a noun run inside the transaction that writes: what a port may be depends on its network, its subnets
and its groups, so they are looked at and changed as one. A refusal undoes it all, also of a request for many.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, TypeVar

import msgspec

from cumulet.core.db import Duplicate, Row, Transaction
from cumulet.core.db.engine import Collision
from cumulet.core.errors import OverQuota
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.lib.numbers import whole
from cumulet.services.network.attributes import Attributes, read_object, read_one, read_some
from cumulet.services.network.errors import HTTPBadRequest, RevisionNumberConstraintFailed
from cumulet.services.network.facets import Facet
from cumulet.services.network.readable import Readable
from cumulet.services.network.room import Network
from cumulet.services.network.standard import TagRow, set_tags

Operation = Callable[..., Awaitable[Any]]
O = TypeVar("O", bound=Operation)  # noqa: E741
T = TypeVar("T")


def again_if_doubled(work: Callable[[Transaction], Awaitable[T]]) -> Callable[[Transaction], Awaitable[T]]:
    """The work of a transaction that looks before it inserts. What somebody put there meanwhile it finds when it looks
    again, and refuses in its own words."""

    async def run(tx: Transaction) -> T:
        try:
            return await work(tx)
        except Duplicate as race:
            raise Collision(race.index) from race

    return run


class Noun(Readable):
    """A resource of this service, as it is written. `one` names its rules: `create_port`, `update_port:fixed_ips`."""

    def __init__(
        self,
        path: str,
        one: str,
        many: str,
        row: type[Row],
        facets: Sequence[Facet],
        *,
        quota: str = "",
        surroundings: Callable[[Transaction, dict[str, Any]], Awaitable[Mapping[str, object]]] | None = None,
        veiled: bool = False,
        **reading: Any,
    ) -> None:
        """`surroundings`: what rules may ask about the place of a new one. `veiled`: who may only see one is told that
        it is not there when he wants to change it. The rest says how it is read."""
        super().__init__(path, one, many, row, facets, **reading)
        self.attributes = Attributes(self.fields)
        self.quota = quota
        self.around_update: Callable[..., AbstractAsyncContextManager[None]] = lambda *_: nullcontext()
        """What a neighbour must have done before an update is written, and undoes when it is not."""
        self._veiled = veiled
        self._surroundings = surroundings

    # ---- declaring -------------------------------------------------------------------------------------------------

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

            rows = await room.database.write(again_if_doubled(write))
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
                row = await room.database.write(again_if_doubled(write))
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

            await room.database.write(again_if_doubled(write))

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

                result = await room.database.write(again_if_doubled(write))
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
        within = {self.of_column: getattr(row, self.of_column)} if self.of_column else {}
        if await tx.delete(self.row, id=row.id, **within):
            await tx.delete(TagRow, resource_id=row.id)
            if self.quota:
                await room.quota.give_back(tx, row.project_id, **{self.quota: 1})

    # ---- who may change ----------------------------------------------------------------------------------------------

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
        elif "project_id" in self.row.c:
            await self._refuse_too_many(room, tx, call.parent.project_id if self.of else project)

    async def _refuse_too_many(self, room: Network, tx: Transaction, project: str) -> None:
        """What no quota counts is bounded all the same."""
        if project and await tx.count(self.row, project_id=project) >= room.most_uncounted:
            raise OverQuota(
                f"Quota exceeded for resources: ['{self.one}']. A project may have {room.most_uncounted} of them.",
                (self.one,),
            )

    def allow_change(self, call: Call, row: Any, rule: str, given: Mapping[str, Any]) -> None:
        """Refuse who may not see it as if it were not there, and who may not change it for what he is."""
        target = self.target_of(call, row)
        self.allow_sight(call, row, target)
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
