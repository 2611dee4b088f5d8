"""What we remember of a domain's own configuration."""

from __future__ import annotations

from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, Json, Row, stored


@stored("identity_domain_configs")
class DomainConfigRow(Row):
    """One option of a domain; secrets are sealed."""

    domain_id: Annotated[str, sa.String(64), PRIMARY]
    group: Annotated[str, sa.String(64), PRIMARY]
    option: Annotated[str, sa.String(128), PRIMARY]
    value: Json
