"""What limits come to for one project: the question that other services ask before they give."""

from __future__ import annotations

from functools import cache

import sqlalchemy as sa

from cumulet.core.access.quota import Allowance
from cumulet.core.db import Query, Transaction
from cumulet.services.identity.catalog.rows import ServiceRow
from cumulet.services.identity.limits.models import STRICT, Model
from cumulet.services.identity.limits.rows import LimitRow, RegisteredLimitRow
from cumulet.services.identity.projects.row import ProjectRow, project_of


async def allowance(tx: Transaction, model: Model, region: str, service_type: str, project_id: str) -> Allowance:
    """The project's own limits, or else what is registered. A limit for this region counts before one for all."""
    about = {"type": service_type, "region": region}
    own = await _limits(tx, about, project_id=project_id, domain_id="-")
    if not own or model is not STRICT:
        return Allowance(own)
    project = await project_of(tx, project_id)
    if project is None or project.is_domain:
        return Allowance(own)
    among = await tx.tuples(_projects_in(), {"domain_id": project.home})
    shared = await _limits(tx, about, project_id="-", domain_id=project.home)
    return Allowance(own, shared, tuple(str(id_) for (id_,) in among), shared_by=project.home)


async def _limits(tx: Transaction, about: dict[str, str], **holder: str) -> dict[str, int]:
    found = await tx.tuples(_limits_query(), {**about, **holder})
    return {str(name): int(limit) for name, limit in found}


@cache
def _limits_query() -> Query:
    """Name and amount, those for a region last."""
    registered, limit = RegisteredLimitRow.c, LimitRow.c
    holder = sa.and_(
        limit.registered_id == registered.id,
        sa.or_(limit.project_id == sa.bindparam("project_id"), limit.domain_id == sa.bindparam("domain_id")),
    )
    return Query(
        sa.select(registered.resource_name, sa.func.coalesce(limit.resource_limit, registered.default_limit))
        .select_from(
            RegisteredLimitRow.table.join(ServiceRow.table, ServiceRow.c.id == registered.service_id).outerjoin(
                LimitRow.table, holder
            )
        )
        .where(ServiceRow.c.type == sa.bindparam("type"), registered.region_id.in_(["", sa.bindparam("region")]))
        .order_by(registered.region_id)
    )


@cache
def _projects_in() -> Query:
    return Query(sa.select(ProjectRow.c.id).where(ProjectRow.c.domain_id == sa.bindparam("domain_id")))
