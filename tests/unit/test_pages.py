"""A page in the middle of a list costs what the first one does: the database begins at the marker."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from cumulet.core.web.listing import Lister, Question
from cumulet.services.compute.servers.row import ServerRow


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_a_page_begins_at_its_marker(direction: str, reverse: bool) -> None:
    question = Question(sort=[("created_at", direction), ("id", direction)], limit=50, marker="m", reverse=reverse)
    project = sa.bindparam("project", type_=sa.String)
    question.where("own", sa.and_(ServerRow.c.project_id == project, ServerRow.c.deleted_at == 0))
    statement = Lister(ServerRow)._statement(question)
    engine = sa.create_engine("sqlite://")
    values = {"project": "p", "marker_created_at": 5, "marker_id": "m", "page_limit": 51}
    with engine.begin() as connection:
        ServerRow.table.create(connection)
        text = str(statement.params(values).compile(engine, compile_kwargs={"literal_binds": True}))
        plan = " ".join(str(row) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}"))
    backwards = (direction == "desc") != reverse
    assert f"compute_servers_project (project_id=? AND deleted_at=? AND created_at{'<' if backwards else '>'}?)" in plan
