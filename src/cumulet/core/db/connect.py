"""From a URL to a database."""

from __future__ import annotations

from pathlib import Path

from cumulet.core.db.engine import Backend


async def connect(url: str) -> Backend:
    """Open `sqlite:///path`, `sqlite://` (in memory), `postgresql://…` or `mysql://…` (also `mariadb://`)."""
    scheme, _, rest = url.partition("://")
    scheme = scheme.partition("+")[0]
    if scheme == "sqlite":
        from cumulet.core.db.backends.sqlite import SqliteBackend

        path = rest.removeprefix("/")
        return SqliteBackend(Path("/" + path.lstrip("/")) if path.startswith("/") else path or ":memory:")
    if scheme in ("postgresql", "postgres"):
        from cumulet.core.db.backends.postgresql import PostgresqlBackend

        return await PostgresqlBackend.open(f"postgresql://{rest}")
    if scheme in ("mysql", "mariadb"):
        from cumulet.core.db.backends.mariadb import MariadbBackend

        return await MariadbBackend.open(f"mysql://{rest}")
    raise ValueError(f"{scheme!r} is no database here; use sqlite, postgresql or mysql")
