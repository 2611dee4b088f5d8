"""What is remembered of labels and their rules, and which of them a router counts by."""

from __future__ import annotations

from functools import cache

import sqlalchemy as sa

from cumulet.core.db import Id, LongText, Name, Query, Ref, Row, Short, Transaction, stored
from cumulet.services.network.routers.row import RouterRow
from cumulet.services.network.stirring import stir


@stored(
    "network_metering_labels",
    sa.Index("network_metering_labels_project", "project_id"),
    sa.Index("network_metering_labels_shared", "shared"),
)
class LabelRow(Row):
    """A label: one counter for each router of its project, or of every project if it is shared."""

    id: Id
    project_id: Ref
    name: Name
    description: LongText
    shared: bool


@stored("network_metering_rules", sa.Index("network_metering_rules_label", "label_id"))
class LabelRuleRow(Row):
    """Traffic that a label counts, or, if excluded, does not."""

    id: Id
    project_id: Ref
    label_id: Ref
    direction: Short
    excluded: bool
    remote: Short
    """An inner prefix, whichever way the traffic goes; or else the two below say what it matches."""
    source: Short
    destination: Short


@cache
def _labels_query() -> Query:
    mine = LabelRow.c.project_id == sa.bindparam("project", type_=sa.String)
    return Query(sa.select(LabelRow.table).where(sa.or_(mine, LabelRow.c.shared == sa.true())))


async def meters_of(tx: Transaction, router: RouterRow) -> dict[str, list[LabelRuleRow]]:
    """The rules of each label that counts this router's traffic."""
    labels = await tx.rows(LabelRow, _labels_query(), {"project": router.project_id})
    found: dict[str, list[LabelRuleRow]] = {label.id: [] for label in labels}
    for rule in await tx.find(LabelRuleRow, label_id=sorted(found), order_by="id") if found else []:
        found[rule.label_id].append(rule)
    return {label: rules for label, rules in found.items() if rules}


async def stir_counted(tx: Transaction, label: LabelRow) -> None:
    """The routers by whose traffic this label is counted look at it again."""
    counted = await tx.find(RouterRow) if label.shared else await tx.find(RouterRow, project_id=label.project_id)
    await stir(tx, RouterRow, "router", [router.id for router in counted])
