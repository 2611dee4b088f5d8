"""What is remembered of a server: what its owner wants, and what was found."""

from __future__ import annotations

import enum
from typing import Annotated

import sqlalchemy as sa

from cumulet.core.db import PRIMARY, BigInt, Instant, Json, LongText, Name, Number, Ref, Row, Short, stored


class Wanted(enum.StrEnum):
    """Where a server's owner wants it."""

    INTENT = "intent"
    """Not yet: its volumes are being reserved. Nobody sees it."""
    RUNNING = "running"
    STOPPED = "stopped"
    PAUSED = "paused"
    SUSPENDED = "suspended"
    SHELVED = "shelved"
    """Off, an image of its disk in store, no host."""
    GONE = "gone"


@stored(
    "compute_servers",
    sa.Index("compute_servers_project", "project_id", "deleted_at", "created_at"),
    sa.Index("compute_servers_name", "project_id", "deleted_at", "name"),
    sa.Index("compute_servers_status", "project_id", "deleted_at", "status", "created_at"),
    sa.Index("compute_servers_all", "deleted_at", "created_at"),
    sa.Index("compute_servers_unsettled", "unsettled", "id"),
    sa.Index("compute_servers_host", "host"),
    sa.Index("compute_servers_changed", "updated_at"),
)
class ServerRow(Row):
    """A server. After its end the row stays a while as a tombstone, with `deleted_at` set."""

    # whose, and when
    id: Annotated[str, sa.String(36), PRIMARY]
    project_id: Ref
    user_id: Ref
    created_at: Instant
    updated_at: Instant
    deleted_at: Instant
    reservation_id: Short
    launch_index: Number

    # the wish
    wanted: Short
    generation: BigInt
    """Rises with every change of the wish."""
    wished_at: Instant
    revision: BigInt
    """Rises with every write of the row, so that two writers never undo each other."""
    name: Name
    description: Name | None
    hostname: Name
    flavor_id: Name
    flavor: Json
    """The copy of the flavor in force."""
    image_id: Ref
    image: Json
    """The properties that the server keeps of its image."""
    image_ref: Json
    """The bytes to start from, as nodes fetch them; empty when a volume is booted."""
    key_name: Name | None
    key: Json
    user_data: LongText | None
    metadata: Json
    tags: Json
    config_drive: bool
    disk_config: Short
    admin_password: Name
    access_ip_v4: Short
    access_ip_v6: Short
    pinned_zone: Name
    host_wanted: Name
    hints: Json
    group_id: Ref
    trusted_certs: Json
    files: Json
    groups: Json
    """Names or ids of the security groups for ports made for it."""
    locked: bool
    locked_by: Short
    locked_reason: Name | None
    rescue: Json
    """Set: it should run from this image, its own disk beside it."""
    root_device: Short
    hard_reboots: Number
    soft_reboots: Number
    rebuilds: Number
    interrupts: Number

    # the facts
    host: Name
    zone: Name
    host_status: Short
    power: Short
    """As its node found it; empty while no node holds it."""
    ran: BigInt
    """The order under which it was last seen running; off under the same one, the guest went off itself."""
    hard_reboots_met: Number
    soft_reboots_met: Number
    rebuilds_met: Number
    interrupts_met: Number
    rescued: bool
    met: BigInt
    """The generation of the wish that the world last fulfilled."""
    faulted: BigInt
    """The generation that could not be met; 0 for none."""
    fault: Json
    offloaded: bool
    """It was shelved, and does not run anywhere yet."""
    shelved_image_id: Ref
    job: Short
    """The task of a one-shot that runs beside the wish, such as a snapshot."""
    move: Short
    """How far an open move is, as a task; empty for none."""
    launched_at: Instant
    terminated_at: Instant
    addresses: Json
    volumes: Json
    security_groups: Json

    # derived of both by status.py, at every write
    vm_state: Short
    task_state: Short
    power_state: Number
    status: Short
    progress: Number
    unsettled: bool


@stored(
    "compute_disks",
    sa.Index("compute_disks_device", "server_id", "device", unique=True),
    sa.Index("compute_disks_volume", "server_id", "volume_id", unique=True),
)
class DiskRow(Row):
    """A disk of a server beside the one its flavor gives: a volume, or a blank disk of the node's own.

    `id` is also the key under which block storage knows the attachment.
    """

    id: Annotated[str, sa.String(36), PRIMARY]
    server_id: Ref
    created_at: Instant
    wanted: Short
    """`attached` or `gone`."""
    source: Short
    """Of what the volume is made: `volume`, `image`, `snapshot`, `blank`."""
    source_id: Ref
    local: bool
    """On the node's own storage rather than a volume."""
    volume_id: Ref
    """For a local disk its own id."""
    volume_type: Name
    size: Number
    device: Short
    boot_index: Number
    """-1: not to boot from."""
    format: Short
    bus: Short
    device_type: Short
    delete_on_termination: bool
    tag: Name
    multiattach: bool
    node: Name
    """Where the volume's bytes are, if no other node reaches them."""
    new_image: Ref
    """The image that its volume is to hold instead of what it does; empty: it stays as it is."""
    # facts
    reimage: Number
    """The number under which block storage is asked to do so; 0: none was taken yet."""
    reserved: bool
    connected: bool
    """The machine has it, and block storage knows."""
    connection: Json
    target: Json
    """Set: its volume goes there, as the machine was told, and nobody has said what became of that."""
    moves: Number
    """How often that was so."""


@stored("compute_nics", sa.Index("compute_nics_port", "server_id", "port_id", unique=True))
class NicRow(Row):
    """A card of a server. `id` is the key under which the network room makes its port, once."""

    id: Annotated[str, sa.String(36), PRIMARY]
    server_id: Ref
    created_at: Instant
    wanted: Short
    """`attached` or `gone`."""
    place: Number
    network_id: Ref
    fixed_ip: Short
    tag: Name
    port_id: Ref | None
    """None until the port is made or adopted."""
    asked_port: Ref
    """The port that the owner gave, if he did."""
    asks: bool
    """Its port will ask for shares of what the host can promise."""
    connected: bool


@stored("compute_server_tags", sa.Index("compute_server_tags_tag", "tag"))
class TagRow(Row):
    """A tag of a server, for the filters of lists; the server's row holds them all for its view."""

    server_id: Annotated[str, sa.String(36), PRIMARY]
    tag: Annotated[str, sa.String(80), PRIMARY]
