"""What is remembered of subnet pools and address scopes."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import Id, Json, LongText, Name, Number, Ref, Row, stored
from cumulet.services.network.standard import Standard

Count = Annotated[int, sa.Integer] | None


@stored("network_subnetpools", sa.Index("network_subnetpools_project", "project_id"))
class SubnetPoolRow(Standard):
    """A pool of prefixes. Subnets that were taken from it name it."""

    version: Number
    prefixes: Json
    min_prefixlen: Number
    max_prefixlen: Number
    default_prefixlen: Number
    default_quota: Count
    scope_id: Ref
    is_default: bool
    shared_with: LongText


@stored("network_address_scopes", sa.Index("network_address_scopes_project", "project_id"))
class AddressScopeRow(Row):
    """An address scope."""

    id: Id
    project_id: Ref
    name: Name
    version: Number
    shared_with: LongText
