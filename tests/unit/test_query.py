"""Statements with lists: what is kept by their lengths says the same as what SQLAlchemy would say each time."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from cumulet.core.db.query import DIALECTS, Query

TABLE = sa.table("things", sa.column("id", sa.String), sa.column("size", sa.Integer), sa.column("kind", sa.String))
STATEMENT = (
    sa.select(TABLE.c.id)
    .where(
        TABLE.c.id.in_(sa.bindparam("ids", expanding=True)),
        TABLE.c.size > sa.bindparam("size"),
        sa.or_(TABLE.c.kind.in_(sa.bindparam("kinds", expanding=True)), TABLE.c.id.in_(sa.bindparam("ids"))),
    )
    .limit(sa.bindparam("most", 7))
)


@pytest.mark.parametrize("dialect", DIALECTS)
@given(asked=st.lists(st.tuples(st.lists(st.text(), max_size=4), st.lists(st.text(), max_size=3)), max_size=6))
def test_lists_of_every_length(dialect: str, asked: list[tuple[list[str], list[str]]]) -> None:
    query = Query(STATEMENT)
    compiled: Any = STATEMENT.compile(dialect=DIALECTS[dialect])
    for ids, kinds in asked:
        values = {"ids": ids, "kinds": kinds, "size": 3}
        state = compiled.construct_expanded_state({**compiled.params, **values})
        expected = state.statement, [state.parameters[name] for name in state.positiontup]
        assert query.bind(dialect, values) == expected
