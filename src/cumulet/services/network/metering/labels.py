"""The nouns `metering_label` and `metering_label_rule`."""

from __future__ import annotations

from typing import Any

from cumulet.core.db import Transaction
from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.wire import Bool, Cidr, Enum, Uuid
from cumulet.lib.ids import new_uuid
from cumulet.services.network import rbac
from cumulet.services.network.errors import InvalidInput, NotAuthorized
from cumulet.services.network.facets import Facet, OrNull
from cumulet.services.network.ipam import network_of
from cumulet.services.network.metering.errors import (
    MeteringLabelNotFound,
    MeteringLabelRuleNotFound,
    MeteringLabelRuleOverlaps,
)
from cumulet.services.network.metering.row import LabelRow, LabelRuleRow, stir_counted
from cumulet.services.network.noun import Noun
from cumulet.services.network.room import Network
from cumulet.services.network.standard import OWNED, LongName, NameText

labels = Noun(
    "/metering/metering-labels",
    "metering_label",
    "metering_labels",
    LabelRow,
    [
        OWNED,
        Facet(
            "metering",
            "Metering of traffic through gateways",
            (
                Field("name", NameText, create=""),
                Field("description", LongName, create=""),
                Field("shared", Bool, create=False),
            ),
        ),
    ],
    missing=MeteringLabelNotFound,
)
labels.reads()


@labels.creating
async def create_label(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> LabelRow:
    if wish["shared"] and not call.may("context_is_admin"):
        raise NotAuthorized(
            "A label that counts every project's traffic is for administrators.", type_name="PolicyNotAuthorized"
        )
    row = LabelRow(new_uuid(), wish["project_id"], wish["name"], wish["description"], wish["shared"])
    await tx.insert(row)
    return row


@labels.deleting
async def delete_label(room: Network, call: Call, tx: Transaction, row: LabelRow) -> None:
    if await tx.delete(LabelRuleRow, label_id=row.id):
        await stir_counted(tx, row)


rules = Noun(
    "/metering/metering-label-rules",
    "metering_label_rule",
    "metering_label_rules",
    LabelRuleRow,
    [
        OWNED,
        Facet(
            "metering",
            "Metering of traffic through gateways",
            (
                Field("metering_label_id", Uuid, create=REQUIRED, source="label_id"),
                Field("direction", Enum("ingress", "egress"), create="ingress"),
                Field("excluded", Bool, create=False),
                Field("remote_ip_prefix", Cidr.or_null(), create=OPTIONAL, source=OrNull("remote")),
            ),
        ),
        Facet(
            "metering_source_and_destination_fields",
            "Metering by source and destination",
            (
                Field("source_ip_prefix", Cidr.or_null(), create=OPTIONAL, source=OrNull("source")),
                Field("destination_ip_prefix", Cidr.or_null(), create=OPTIONAL, source=OrNull("destination")),
            ),
        ),
    ],
    missing=MeteringLabelRuleNotFound,
)
rules.reads()


@rules.creating
async def create_rule(room: Network, call: Call, tx: Transaction, wish: dict[str, Any]) -> LabelRuleRow:
    label = await tx.get(LabelRow, id=wish["metering_label_id"])
    if label is None or not (label.project_id == call.caller.project_id or rbac.sees_all(call)):
        raise MeteringLabelNotFound(f"Metering label {wish['metering_label_id']} does not exist.")
    row = LabelRuleRow(
        new_uuid(),
        label.project_id,
        label.id,
        wish["direction"],
        wish["excluded"],
        wish.get("remote_ip_prefix") or "",
        wish.get("source_ip_prefix") or "",
        wish.get("destination_ip_prefix") or "",
    )
    _refuse_odd(row)
    # Written first, so that of two requests for one label one waits here, and then sees the other's rule.
    await tx.update(LabelRow, {"id": label.id}, shared=label.shared)
    others = await tx.find(LabelRuleRow, label_id=label.id)
    if len(others) >= room.most_meter_rules:
        raise InvalidInput(f"A metering label has at most {room.most_meter_rules} rules.")
    for other in others:
        if _overlap(row, other):
            raise MeteringLabelRuleOverlaps(
                f"Metering label rule with remote_ip_prefix '{row.remote}' overlaps another: {other.id}."
            )
    await tx.insert(row)
    await stir_counted(tx, label)
    return row


@rules.deleting
async def delete_rule(room: Network, call: Call, tx: Transaction, row: LabelRuleRow) -> None:
    label = await tx.get(LabelRow, id=row.label_id)
    if label:
        await stir_counted(tx, label)


def _refuse_odd(row: LabelRuleRow) -> None:
    both = row.source or row.destination
    if bool(row.remote) == bool(both):
        raise InvalidInput(
            "A metering label rule needs remote_ip_prefix, or else source_ip_prefix or destination_ip_prefix or both."
        )
    if row.source and row.destination and network_of(row.source).version != network_of(row.destination).version:
        raise InvalidInput("source_ip_prefix and destination_ip_prefix are of different IP versions.")


def _overlap(one: LabelRuleRow, other: LabelRuleRow) -> bool:
    if not one.remote or not other.remote or (one.direction, one.excluded) != (other.direction, other.excluded):
        return False
    mine, theirs = network_of(one.remote), network_of(other.remote)
    return mine.version == theirs.version and mine.overlaps(theirs)
