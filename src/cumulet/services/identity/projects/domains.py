"""What a client sees and sends of a domain."""

from __future__ import annotations

import sqlalchemy as sa

from cumulet.core.web.body import HIDDEN, OPTIONAL, REQUIRED, Field
from cumulet.core.web.call import Call
from cumulet.core.web.listing import Question, ask
from cumulet.core.web.resource import Listed
from cumulet.core.web.view import raw
from cumulet.core.web.wire import Bool, Text
from cumulet.services.identity.errors import Missing
from cumulet.services.identity.fields import Id, ImmutableOption, ProjectName, Tags
from cumulet.services.identity.noun import Noun, boolean, exact, given_options, known
from cumulet.services.identity.projects import operations
from cumulet.services.identity.projects.row import ProjectRow
from cumulet.services.identity.room import Identity

RULE = "identity:"
IS_DOMAIN = ProjectRow.c.is_domain.is_(sa.true())


def target(row: ProjectRow) -> dict[str, object]:
    return {"target": {"domain": {"id": row.id, "name": row.name}}, "domain_id": row.id}


domains = Noun(
    "/domains",
    "domain",
    "domains",
    ProjectRow,
    [
        Field("id", Id),
        Field("explicit_domain_id", Id, create=OPTIONAL, source=HIDDEN),
        Field("name", ProjectName, create=REQUIRED, update=OPTIONAL),
        Field("description", Text(255).or_null(), create=OPTIONAL, update=OPTIONAL),
        Field("enabled", Bool, create=True, update=OPTIONAL),
        Field("tags", Tags, create=OPTIONAL, update=OPTIONAL, source=raw("tags")),
        Field("options", ImmutableOption, create=OPTIONAL, update=OPTIONAL, source=raw("options")),
    ],
    filters=[*exact(ProjectRow, "name"), boolean("enabled")],
    target=target,
    missing=Missing,
    hidden=IS_DOMAIN,
)


@domains.create(RULE + "create_domain")
async def create(room: Identity, call: Call) -> ProjectRow:
    wish = {**call.wish, "is_domain": True}
    extra, options = domains.extras(call), given_options(None, wish)
    return await operations.create(room, wish, extra=extra, options=options, id_=wish.get("explicit_domain_id", ""))


@domains.list("")
async def index(room: Identity, call: Call) -> Listed:
    own = call.caller.domain_id
    call.allow(RULE + "list_domains", {"target": {"domain": known(id=own)}})
    question = ask(domains.listing, ProjectRow, call)
    narrow_to_one(question, own)
    async with room.database.read() as tx:
        return Listed(*await domains.page(tx, call, question))


def narrow_to_one(question: Question, domain_id: str) -> None:
    """Whose token is for a domain sees that one."""
    if domain_id:
        clause = ProjectRow.c.id == sa.bindparam("own_domain", type_=sa.String)
        question.where("own domain", clause, {"own_domain": domain_id})


domains.shown(RULE + "get_domain")


@domains.update(RULE + "update_domain", method="PATCH", guarded=False)
async def update(room: Identity, call: Call, row: ProjectRow) -> ProjectRow:
    wish = call.wish
    return await operations.update(room, row, wish, extra=domains.extras(call, row), options=given_options(row, wish))


@domains.delete(RULE + "delete_domain")
async def delete(room: Identity, call: Call, row: ProjectRow) -> None:
    await operations.delete(room, row)
