"""From one version of the schema to another, as SQL. Importing this loads Alembic; a settled database needs none."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.script import ScriptDirectory

FOLDER = Path(__file__).parent


class _Statements(io.StringIO):
    """Takes what Alembic writes; it writes one statement at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def write(self, text: str) -> int:
        statement = text.strip().removesuffix(";")
        if statement and not statement.startswith("--"):
            self.found.append(statement)
        return len(text)


def script() -> ScriptDirectory:
    return ScriptDirectory(str(FOLDER))


def upgrade(dialect: str, start: str, end: str) -> list[str]:
    """The statements that lead from `start` (empty: nothing is there) to `end`, with the note of the new version."""
    config, steps, statements = Config(), script(), _Statements()
    config.attributes["into"] = {"dialect_name": dialect, "output_buffer": statements}

    def wanted(revision: Any, context: Any) -> Any:
        return steps._upgrade_revs(end, revision)

    with EnvironmentContext(config, steps, fn=wanted, as_sql=True, starting_rev=start or None, destination_rev=end):
        steps.run_env()
    return statements.found
