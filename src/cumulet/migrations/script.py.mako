"""${message}"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = ${repr(number)}
down_revision: str | None = ${repr(before)}

LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
TABLES: Any = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
${operations}
