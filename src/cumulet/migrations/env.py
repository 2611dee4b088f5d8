"""Alembic runs this file to learn how to run the steps: without a connection, into what the caller gives."""

from __future__ import annotations

from alembic import context

context.configure(**context.config.attributes["into"])
context.run_migrations()
