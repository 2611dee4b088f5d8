"""`?parents_as_list`, `?subtree_as_ids` and so on: a project with its family."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from cumulet.core.web.call import Call
from cumulet.services.identity.assignments.places import project_ids_of
from cumulet.services.identity.errors import InvalidValue
from cumulet.services.identity.noun import Noun
from cumulet.services.identity.projects.operations import below
from cumulet.services.identity.projects.row import ProjectRow
from cumulet.services.identity.room import Identity

Ids = dict[str, Any]


def parents_as_ids(row: ProjectRow) -> Ids | None:
    """From the parent upwards, one within the other: `{"parent": {"its parent": None}}`."""
    nested: Ids | None = None
    for ancestor in row.ancestors:
        nested = {ancestor: nested}
    return nested


def subtree_as_ids(row: ProjectRow, rows: Sequence[ProjectRow]) -> Ids | None:
    """What is below, each with what is below it: `{"child": {"grandchild": None}}`."""
    children: dict[str, list[str]] = {}
    for child in rows:
        children.setdefault(child.parent_id, []).append(child.id)

    def nested(id_: str) -> Ids | None:
        return {child: nested(child) for child in sorted(children[id_])} if id_ in children else None

    return nested(row.id)


async def family(room: Identity, call: Call, row: ProjectRow, noun: Noun) -> dict[str, Any]:
    """The parts of the family that were asked for. Lists hold only projects in which the caller has a role."""
    shown: dict[str, Any] = {}
    want = call.request.one
    for name in ("parents", "subtree"):
        if want(f"{name}_as_list") is not None and want(f"{name}_as_ids") is not None:
            raise InvalidValue(f"{name}_as_list and {name}_as_ids exclude each other.")
    if want("parents_as_ids") is not None:
        shown["parents"] = parents_as_ids(row)
    if want("subtree_as_ids") is not None:
        async with room.database.read() as tx:
            shown["subtree"] = subtree_as_ids(row, await below(tx, row))
    for name in ("parents", "subtree"):
        if want(f"{name}_as_list") is not None:
            shown[name] = await _listed(room, call, row, noun, name)
    return shown


async def _listed(room: Identity, call: Call, row: ProjectRow, noun: Noun, name: str) -> list[Any]:
    async with room.database.read() as tx:
        if name == "subtree":
            rows = await below(tx, row)
        else:
            found = {parent.id: parent for parent in await tx.find(ProjectRow, id=row.ancestors)}
            rows = [found[id_] for id_ in reversed(row.ancestors) if id_ in found]
        mine = await project_ids_of(tx, call.caller.user_id, rows)
    return [{"project": noun.show_row(call, relative)} for relative in rows if relative.id in mine]
