"""The noun `security_groups_default_statefulness`: whether new groups are stateful where nobody says so."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

from cumulet.core.db import Duplicate, Id, Ref, Row, Transaction, stored
from cumulet.core.web.body import OPTIONAL, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Bool, Text
from cumulet.lib.ids import new_uuid
from cumulet.services.network.errors import ResourceInUse
from cumulet.services.network.facets import Facet, OrNull
from cumulet.services.network.noun import Noun
from cumulet.services.network.room import Network
from cumulet.services.network.security_groups.errors import DefaultStatefulnessNotFound


@stored(
    "network_default_statefulness",
    sa.Index("network_default_statefulness_project", "project_id", unique=True),
)
class DefaultStatefulnessRow(Row):
    """What holds for a project, or, with none, for all that have no row of their own."""

    id: Id
    project_id: Ref
    stateful: bool


default_statefulness = Noun(
    "/security-groups-default-statefulness",
    "security_groups_default_statefulness",
    "security_groups_default_statefulness",
    DefaultStatefulnessRow,
    [
        Facet(
            "security-groups-default-statefulness",
            "Whether new security groups are stateful",
            (
                Field("id", Text()),
                Field("project_id", Text(255).or_null(), create=OPTIONAL, source=OrNull("project_id")),
                Field("stateful", Bool, create=True, update=OPTIONAL),
            ),
        )
    ],
    missing=DefaultStatefulnessNotFound,
)
default_statefulness.reads()


@default_statefulness.creating
async def create(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> DefaultStatefulnessRow:
    row = DefaultStatefulnessRow(new_uuid(), wish["project_id"] or "", wish["stateful"])
    try:
        await tx.insert(row)
    except Duplicate as taken:
        whose = f"project {row.project_id}" if row.project_id else "the whole cloud"
        raise ResourceInUse(
            f"A default statefulness of security groups exists for {whose}. Change that one.",
            type_name="SecurityGroupsDefaultStatefulnessExists",
        ) from taken
    return row


@default_statefulness.updating
async def update(
    room: Network, call: Call, tx: Transaction, row: DefaultStatefulnessRow, wish: dict[str, Any]
) -> DefaultStatefulnessRow:
    return await default_statefulness.save(room, tx, row, **wish)  # type: ignore[no-any-return]


@default_statefulness.deleting
async def delete(room: Network, call: Call, tx: Transaction, row: DefaultStatefulnessRow) -> None:
    """The row goes; groups that are there stay as they are."""


async def is_stateful(tx: Transaction, project_id: str) -> bool:
    """Whether a new group of this project is stateful if nothing is said."""
    rows = {row.project_id: row.stateful for row in await tx.find(DefaultStatefulnessRow, project_id=[project_id, ""])}
    return rows.get(project_id, rows.get("", True))
