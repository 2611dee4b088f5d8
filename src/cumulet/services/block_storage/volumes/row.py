"""What do we remember of a volume? The wish, the facts, and what is shown of its attachments."""

from __future__ import annotations

import sqlalchemy as sa

from cumulet.core.db import Id, Instant, Json, LongText, Name, Number, Ref, Row, Short, stored

ENDING = "ending"


@stored(
    "block_storage_volumes",
    sa.Index("block_storage_volumes_project", "project_id", "created_at"),
    sa.Index("block_storage_volumes_all", "created_at"),
    sa.Index("block_storage_volumes_unsettled", "unsettled", "id"),
    sa.Index("block_storage_volumes_restored", "restore_from"),
)
class VolumeRow(Row):
    """A volume. Columns up to `generation` are the wish, those from `node` on the facts. What is not said of a new one
    is nothing, or not yet."""

    id: Id
    project_id: Ref
    user_id: Ref
    name: Name
    description: LongText
    size: Number
    """GiB."""
    availability_zone: Name
    type_id: Ref
    type_name: Name
    source_image_id: Ref = ""
    source_volume_id: Ref = ""
    snapshot_id: Ref = ""
    adopt: Ref = ""
    """The volume on its node that it was made of, which was there and belonged to nobody."""
    left: Json = "[]"
    """Names of snapshots on its node that nobody here has."""
    encryption: Json = ""
    """How it is encrypted, as its type said; empty text: it is not."""
    encryption_key_id: Ref = ""
    metadata: Json = "{}"
    image_metadata: Json = "{}"
    bootable: bool = False
    multiattach: bool = False
    read_only: Short = ""
    """`True` or `False` once somebody has said it, empty before."""
    hold: Short = ""
    """What else holds it, as its status says: `attaching`, `detaching`, `awaiting-transfer`."""
    group_id: Ref = ""
    hints: Json = "{}"
    """What its maker said of where it should be."""
    revert_to: Ref = ""
    """The snapshot it was last asked to return to, and how often it was asked."""
    reverts: Number = 0
    reimages: Number = 0
    """How often it was asked to get the content of its image again, or of another one."""
    restore_from: Ref = ""
    """The backup whose content it was last to get, and how often that was asked."""
    restores: Number = 0
    destination: Name = ""
    """The node that it should move to; empty: it stays."""
    destination_pool: Name = ""
    """The pool there."""
    carried: Short = ""
    """As what it goes there: `file` or `content`; `empty`: its machine brings what is in it."""
    destination_secret: Ref = ""
    """Set: it is to be offered there to whoever has this."""
    new_type: Ref = ""
    """The type that it has when it is there; it counts towards both meanwhile."""
    moving_since: Instant = 0
    export_secret: Ref = ""
    """Set: it is to be offered over the network to whoever has this."""
    wanted: bool = True
    """False: it should go."""
    released: bool = False
    """It should go from here, and its bytes stay where they are."""
    generation: Number = 1
    node: Name = ""
    """Where it lies; of storage that several nodes share, the one that looks after it now."""
    leaves: Name = ""
    """`NODE@BACKEND` where it was, or should have been, and where what is there is to be destroyed."""
    looked_after: Name = ""
    """The node that has reported that it looks after it."""
    backend: Short = ""
    cluster: Short = ""
    """The name of the shared storage; empty: it lies on its node alone."""
    pool: Short = ""
    tried: Json = "{}"
    """Pools where making it failed, and why."""
    made_size: Number = 0
    """GiB that the node reported; 0 while it is not made."""
    made_reverts: Number = 0
    made_reimages: Number = 0
    made_restores: Number = 0
    migration_status: Short = ""
    """How its last move ended, or that one is on its way; empty: it never moved."""
    destination_size: Number = 0
    """GiB that the node there reported."""
    destination_exported: Name = ""
    """Where it is offered there."""
    exported: Name = ""
    """Where it is offered, as its node said: `host:port/name`; `ENDING` until the node has said that it is no more."""
    fault: LongText = ""
    forced_status: Short = ""
    """What an administrator said it is, until the next change."""
    status: Short = ""
    """Derived at every write by `status.py`."""
    attachments: Json = "[]"
    """What is shown of them."""
    unsettled: bool = True
    created_at: Instant = 0
    updated_at: Instant = 0


@stored(
    "block_storage_attachments",
    sa.Index("block_storage_attachments_volume", "volume_id"),
    sa.Index("block_storage_attachments_server", "server_id"),
)
class AttachmentRow(Row):
    """A server's hold on a volume."""

    id: Id
    volume_id: Ref
    server_id: Ref
    project_id: Ref
    by_compute: bool
    """Made by the compute service, which alone may end it."""
    mode: Short
    status: Short
    """`reserved`, `attaching`, `attached` or `detaching`."""
    host: Name
    device: Name
    connector: Json
    move: Short
    """What its machine is to do with a volume that should be elsewhere: `go`; or `stay`, unless it has gone."""
    attached_at: Instant
    detached_at: Instant
    created_at: Instant
    updated_at: Instant
