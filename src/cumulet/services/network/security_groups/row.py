"""What is remembered of security groups and their rules."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import Id, Instant, Json, LongText, Name, Ref, Row, Short, stored
from cumulet.services.network.standard import Standard

Port = Annotated[int, sa.Integer] | None


@stored(
    "network_security_groups",
    sa.Index("network_security_groups_project", "project_id"),
    sa.Index("network_security_groups_default", "default_of", unique=True),
    sa.Index("network_security_groups_unsettled", "unsettled"),
)
class SecurityGroupRow(Standard):
    """A security group. `default_of` holds the project whose default it is; an index keeps it the only one."""

    stateful: bool
    shared_with: LongText
    default_of: Annotated[str, sa.String(64)] | None
    rules: Json
    """Its rules as the view shows them."""
    generation: int
    unsettled: bool


@stored(
    "network_security_group_rules",
    sa.Index("network_security_group_rules_group", "group_id"),
    sa.Index("network_security_group_rules_remote", "remote_group_id"),
    sa.Index("network_security_group_rules_addresses", "remote_address_group_id"),
    sa.Index("network_security_group_rules_once", "fingerprint", unique=True),
)
class RuleRow(Row):
    """One rule. `fingerprint` is made of all that it says, so that a group cannot say it twice."""

    id: Id
    project_id: Ref
    group_id: Ref
    of_default: bool
    direction: Short
    ethertype: Short
    protocol: Short
    port_min: Port
    port_max: Port
    remote_ip_prefix: Short
    remote_group_id: Ref
    remote_address_group_id: Ref
    description: Name
    fingerprint: Short
    created_at: Instant
    updated_at: Instant
    revision: int
