"""Which entry of a directory an id stands for."""

from __future__ import annotations

import sqlalchemy as sa

from cumulet.core.db import Id, Json, Name, Ref, Row, Short, stored


@stored("identity_directory_entries", sa.Index("identity_directory_entries_domain", "domain_id", "kind"))
class DirectoryEntryRow(Row):
    """A user or group that a directory has shown. It stays when the entry is gone: it may come back."""

    id: Id
    domain_id: Ref
    kind: Short
    local_id: Name
    kept: Json
    """What we ourselves knew of somebody when he went."""
