"""Everything that a cloud remembers."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision: str | None = None

LONG = sa.Text().with_variant(mysql.MEDIUMTEXT(), "mysql", "mariadb")
TABLES: Any = {"mysql_engine": "InnoDB", "mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    op.create_table(
        "block_storage_attachments",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("volume_id", sa.String(length=64), nullable=False),
        sa.Column("server_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("by_compute", sa.Boolean(), nullable=False),
        sa.Column("mode", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("device", sa.String(length=255), nullable=False),
        sa.Column("connector", LONG, nullable=False),
        sa.Column("move", sa.String(length=64), nullable=False),
        sa.Column("attached_at", sa.BigInteger(), nullable=False),
        sa.Column("detached_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("block_storage_attachments_server", "block_storage_attachments", ["server_id"], unique=False)
    op.create_index("block_storage_attachments_volume", "block_storage_attachments", ["volume_id"], unique=False)
    op.create_table(
        "block_storage_backups",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("volume_id", sa.String(length=64), nullable=False),
        sa.Column("snapshot_id", sa.String(length=64), nullable=False),
        sa.Column("parent_id", sa.String(length=64), nullable=False),
        sa.Column("dependents", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("availability_zone", sa.String(length=255), nullable=False),
        sa.Column("container", sa.String(length=255), nullable=False),
        sa.Column("metadata", LONG, nullable=False),
        sa.Column("volume", LONG, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("data_timestamp", sa.BigInteger(), nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.Column("made", sa.Boolean(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("object_id", sa.String(length=64), nullable=False),
        sa.Column("table_start", sa.BigInteger(), nullable=False),
        sa.Column("table_length", sa.BigInteger(), nullable=False),
        sa.Column("table_digest", sa.String(length=64), nullable=False),
        sa.Column("fault", LONG, nullable=False),
        sa.Column("forced_status", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("block_storage_backups_object", "block_storage_backups", ["object_id"], unique=False)
    op.create_index(
        "block_storage_backups_project", "block_storage_backups", ["project_id", "created_at"], unique=False
    )
    op.create_index("block_storage_backups_volume", "block_storage_backups", ["volume_id"], unique=False)
    op.create_table(
        "block_storage_default_types",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("type_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("project_id"),
        **TABLES,
    )
    op.create_table(
        "block_storage_group_snapshots",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("group_id", sa.String(length=64), nullable=False),
        sa.Column("group_type_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("forced_status", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("block_storage_group_snapshots_group", "block_storage_group_snapshots", ["group_id"], unique=False)
    op.create_index(
        "block_storage_group_snapshots_project",
        "block_storage_group_snapshots",
        ["project_id", "created_at"],
        unique=False,
    )
    op.create_table(
        "block_storage_group_types",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LONG, nullable=True),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("group_specs", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("block_storage_group_types_name", "block_storage_group_types", ["name"], unique=True)
    op.create_table(
        "block_storage_groups",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("availability_zone", sa.String(length=255), nullable=False),
        sa.Column("group_type_id", sa.String(length=64), nullable=False),
        sa.Column("volume_types", LONG, nullable=False),
        sa.Column("group_snapshot_id", sa.String(length=64), nullable=False),
        sa.Column("source_group_id", sa.String(length=64), nullable=False),
        sa.Column("forced_status", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("block_storage_groups_project", "block_storage_groups", ["project_id", "created_at"], unique=False)
    op.create_table(
        "block_storage_keys",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("sealed", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_table(
        "block_storage_messages",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("resource_type", sa.String(length=64), nullable=False),
        sa.Column("resource_uuid", sa.String(length=64), nullable=False),
        sa.Column("event_id", sa.String(length=64), nullable=False),
        sa.Column("user_message", LONG, nullable=False),
        sa.Column("message_level", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("guaranteed_until", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index(
        "block_storage_messages_project", "block_storage_messages", ["project_id", "created_at"], unique=False
    )
    op.create_table(
        "block_storage_qos_specs",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("consumer", sa.String(length=64), nullable=False),
        sa.Column("specs", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("block_storage_qos_specs_name", "block_storage_qos_specs", ["name"], unique=True)
    op.create_table(
        "block_storage_services",
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.String(length=255), nullable=False),
        sa.Column("frozen", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("host"),
        **TABLES,
    )
    op.create_table(
        "block_storage_snapshots",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("volume_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("metadata", LONG, nullable=False),
        sa.Column("group_snapshot_id", sa.String(length=64), nullable=False),
        sa.Column("kept_as", sa.String(length=64), nullable=False),
        sa.Column("hold", sa.String(length=64), nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.Column("made", sa.Boolean(), nullable=False),
        sa.Column("fault", LONG, nullable=False),
        sa.Column("forced_status", sa.String(length=64), nullable=False),
        sa.Column("progress", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index(
        "block_storage_snapshots_project", "block_storage_snapshots", ["project_id", "created_at"], unique=False
    )
    op.create_index("block_storage_snapshots_volume", "block_storage_snapshots", ["volume_id"], unique=False)
    op.create_table(
        "block_storage_transfers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("destination_project_id", sa.String(length=64), nullable=False),
        sa.Column("volume_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("no_snapshots", sa.Boolean(), nullable=False),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index(
        "block_storage_transfers_project", "block_storage_transfers", ["project_id", "created_at"], unique=False
    )
    op.create_index("block_storage_transfers_volume", "block_storage_transfers", ["volume_id"], unique=False)
    op.create_table(
        "block_storage_type_access",
        sa.Column("type_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("type_id", "project_id"),
        **TABLES,
    )
    op.create_index("block_storage_type_access_project", "block_storage_type_access", ["project_id"], unique=False)
    op.create_table(
        "block_storage_types",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LONG, nullable=True),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("extra_specs", LONG, nullable=False),
        sa.Column("qos_specs_id", sa.String(length=64), nullable=False),
        sa.Column("encryption", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("block_storage_types_name", "block_storage_types", ["name"], unique=True)
    op.create_table(
        "block_storage_uploads",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("volume_id", sa.String(length=64), nullable=False),
        sa.Column("disk_format", sa.String(length=64), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("block_storage_uploads_volume", "block_storage_uploads", ["volume_id"], unique=False)
    op.create_table(
        "block_storage_volumes",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("availability_zone", sa.String(length=255), nullable=False),
        sa.Column("type_id", sa.String(length=64), nullable=False),
        sa.Column("type_name", sa.String(length=255), nullable=False),
        sa.Column("source_image_id", sa.String(length=64), nullable=False),
        sa.Column("source_volume_id", sa.String(length=64), nullable=False),
        sa.Column("snapshot_id", sa.String(length=64), nullable=False),
        sa.Column("adopt", sa.String(length=64), nullable=False),
        sa.Column("left", LONG, nullable=False),
        sa.Column("encryption", LONG, nullable=False),
        sa.Column("encryption_key_id", sa.String(length=64), nullable=False),
        sa.Column("metadata", LONG, nullable=False),
        sa.Column("image_metadata", LONG, nullable=False),
        sa.Column("bootable", sa.Boolean(), nullable=False),
        sa.Column("multiattach", sa.Boolean(), nullable=False),
        sa.Column("read_only", sa.String(length=64), nullable=False),
        sa.Column("hold", sa.String(length=64), nullable=False),
        sa.Column("group_id", sa.String(length=64), nullable=False),
        sa.Column("hints", LONG, nullable=False),
        sa.Column("revert_to", sa.String(length=64), nullable=False),
        sa.Column("reverts", sa.Integer(), nullable=False),
        sa.Column("reimages", sa.Integer(), nullable=False),
        sa.Column("restore_from", sa.String(length=64), nullable=False),
        sa.Column("restores", sa.Integer(), nullable=False),
        sa.Column("destination", sa.String(length=255), nullable=False),
        sa.Column("destination_pool", sa.String(length=255), nullable=False),
        sa.Column("carried", sa.String(length=64), nullable=False),
        sa.Column("destination_secret", sa.String(length=64), nullable=False),
        sa.Column("new_type", sa.String(length=64), nullable=False),
        sa.Column("moving_since", sa.BigInteger(), nullable=False),
        sa.Column("export_secret", sa.String(length=64), nullable=False),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.Column("released", sa.Boolean(), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("node", sa.String(length=255), nullable=False),
        sa.Column("leaves", sa.String(length=255), nullable=False),
        sa.Column("looked_after", sa.String(length=255), nullable=False),
        sa.Column("backend", sa.String(length=64), nullable=False),
        sa.Column("cluster", sa.String(length=64), nullable=False),
        sa.Column("pool", sa.String(length=64), nullable=False),
        sa.Column("tried", LONG, nullable=False),
        sa.Column("made_size", sa.Integer(), nullable=False),
        sa.Column("made_reverts", sa.Integer(), nullable=False),
        sa.Column("made_reimages", sa.Integer(), nullable=False),
        sa.Column("made_restores", sa.Integer(), nullable=False),
        sa.Column("migration_status", sa.String(length=64), nullable=False),
        sa.Column("destination_size", sa.Integer(), nullable=False),
        sa.Column("destination_exported", sa.String(length=255), nullable=False),
        sa.Column("exported", sa.String(length=255), nullable=False),
        sa.Column("fault", LONG, nullable=False),
        sa.Column("forced_status", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("attachments", LONG, nullable=False),
        sa.Column("unsettled", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("block_storage_volumes_all", "block_storage_volumes", ["created_at"], unique=False)
    op.create_index(
        "block_storage_volumes_project", "block_storage_volumes", ["project_id", "created_at"], unique=False
    )
    op.create_index("block_storage_volumes_restored", "block_storage_volumes", ["restore_from"], unique=False)
    op.create_index("block_storage_volumes_unsettled", "block_storage_volumes", ["unsettled", "id"], unique=False)
    op.create_table(
        "compute_aggregate_hosts",
        sa.Column("aggregate_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("aggregate_id", "host"),
        **TABLES,
    )
    op.create_index("compute_aggregate_hosts_host", "compute_aggregate_hosts", ["host"], unique=False)
    op.create_table(
        "compute_aggregates",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("uuid", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("metadata", LONG, nullable=False),
        sa.Column("hosts", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("compute_aggregates_name", "compute_aggregates", ["name"], unique=True)
    op.create_table(
        "compute_console_tokens",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("server_id", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        **TABLES,
    )
    op.create_index("compute_console_tokens_server", "compute_console_tokens", ["server_id"], unique=False)
    op.create_table(
        "compute_disks",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("server_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("wanted", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("source_id", sa.String(length=64), nullable=False),
        sa.Column("local", sa.Boolean(), nullable=False),
        sa.Column("volume_id", sa.String(length=64), nullable=False),
        sa.Column("volume_type", sa.String(length=255), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("device", sa.String(length=64), nullable=False),
        sa.Column("boot_index", sa.Integer(), nullable=False),
        sa.Column("format", sa.String(length=64), nullable=False),
        sa.Column("bus", sa.String(length=64), nullable=False),
        sa.Column("device_type", sa.String(length=64), nullable=False),
        sa.Column("delete_on_termination", sa.Boolean(), nullable=False),
        sa.Column("tag", sa.String(length=255), nullable=False),
        sa.Column("multiattach", sa.Boolean(), nullable=False),
        sa.Column("node", sa.String(length=255), nullable=False),
        sa.Column("new_image", sa.String(length=64), nullable=False),
        sa.Column("reimage", sa.Integer(), nullable=False),
        sa.Column("reserved", sa.Boolean(), nullable=False),
        sa.Column("connected", sa.Boolean(), nullable=False),
        sa.Column("connection", LONG, nullable=False),
        sa.Column("target", LONG, nullable=False),
        sa.Column("moves", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("compute_disks_device", "compute_disks", ["server_id", "device"], unique=True)
    op.create_index("compute_disks_volume", "compute_disks", ["server_id", "volume_id"], unique=True)
    op.create_table(
        "compute_flavor_access",
        sa.Column("flavor_id", sa.String(length=255), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("flavor_id", "project_id"),
        **TABLES,
    )
    op.create_table(
        "compute_flavors",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("ram", sa.Integer(), nullable=False),
        sa.Column("vcpus", sa.Integer(), nullable=False),
        sa.Column("disk", sa.Integer(), nullable=False),
        sa.Column("ephemeral", sa.Integer(), nullable=False),
        sa.Column("swap", sa.Integer(), nullable=False),
        sa.Column("rxtx_factor", sa.Double(), nullable=False),
        sa.Column("public", sa.Boolean(), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("extra_specs", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("compute_flavors_name", "compute_flavors", ["name"], unique=True)
    op.create_table(
        "compute_group_members",
        sa.Column("group_id", sa.String(length=36), nullable=False),
        sa.Column("server_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("group_id", "server_id"),
        **TABLES,
    )
    op.create_index("compute_group_members_server", "compute_group_members", ["server_id"], unique=True)
    op.create_table(
        "compute_instance_actions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("server_id", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("open", sa.Boolean(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("message", LONG, nullable=True),
        sa.Column("events", LONG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index(
        "compute_instance_actions_request", "compute_instance_actions", ["server_id", "request_id"], unique=False
    )
    op.create_index(
        "compute_instance_actions_server", "compute_instance_actions", ["server_id", "started_at"], unique=False
    )
    op.create_table(
        "compute_keypairs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("public_key", LONG, nullable=False),
        sa.Column("fingerprint", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("compute_keypairs_name", "compute_keypairs", ["user_id", "name"], unique=True)
    op.create_table(
        "compute_moves",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("server_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("open", sa.String(length=64), nullable=True),
        sa.Column("wish", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=255), nullable=False),
        sa.Column("destination", sa.String(length=255), nullable=False),
        sa.Column("host_wanted", sa.String(length=255), nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("old_flavor", LONG, nullable=False),
        sa.Column("new_flavor", LONG, nullable=False),
        sa.Column("power", sa.String(length=64), nullable=False),
        sa.Column("fails_since", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("compute_moves_number", "compute_moves", ["number"], unique=True)
    op.create_index("compute_moves_open", "compute_moves", ["server_id", "open"], unique=True)
    op.create_index("compute_moves_updated", "compute_moves", ["updated_at"], unique=False)
    op.create_table(
        "compute_nics",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("server_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("wanted", sa.String(length=64), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("network_id", sa.String(length=64), nullable=False),
        sa.Column("fixed_ip", sa.String(length=64), nullable=False),
        sa.Column("tag", sa.String(length=255), nullable=False),
        sa.Column("port_id", sa.String(length=64), nullable=True),
        sa.Column("asked_port", sa.String(length=64), nullable=False),
        sa.Column("asks", sa.Boolean(), nullable=False),
        sa.Column("connected", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("compute_nics_port", "compute_nics", ["server_id", "port_id"], unique=True)
    op.create_table(
        "compute_server_groups",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("policy", sa.String(length=64), nullable=False),
        sa.Column("max_per_host", sa.BigInteger(), nullable=False),
        sa.Column("members", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index(
        "compute_server_groups_project", "compute_server_groups", ["project_id", "created_at"], unique=False
    )
    op.create_table(
        "compute_server_tags",
        sa.Column("server_id", sa.String(length=36), nullable=False),
        sa.Column("tag", sa.String(length=80), nullable=False),
        sa.PrimaryKeyConstraint("server_id", "tag"),
        **TABLES,
    )
    op.create_index("compute_server_tags_tag", "compute_server_tags", ["tag"], unique=False)
    op.create_table(
        "compute_servers",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=False),
        sa.Column("reservation_id", sa.String(length=64), nullable=False),
        sa.Column("launch_index", sa.Integer(), nullable=False),
        sa.Column("wanted", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("wished_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=True),
        sa.Column("hostname", sa.String(length=255), nullable=False),
        sa.Column("flavor_id", sa.String(length=255), nullable=False),
        sa.Column("flavor", LONG, nullable=False),
        sa.Column("image_id", sa.String(length=64), nullable=False),
        sa.Column("image", LONG, nullable=False),
        sa.Column("image_ref", LONG, nullable=False),
        sa.Column("key_name", sa.String(length=255), nullable=True),
        sa.Column("key", LONG, nullable=False),
        sa.Column("user_data", LONG, nullable=True),
        sa.Column("metadata", LONG, nullable=False),
        sa.Column("tags", LONG, nullable=False),
        sa.Column("config_drive", sa.Boolean(), nullable=False),
        sa.Column("disk_config", sa.String(length=64), nullable=False),
        sa.Column("admin_password", sa.String(length=255), nullable=False),
        sa.Column("access_ip_v4", sa.String(length=64), nullable=False),
        sa.Column("access_ip_v6", sa.String(length=64), nullable=False),
        sa.Column("pinned_zone", sa.String(length=255), nullable=False),
        sa.Column("host_wanted", sa.String(length=255), nullable=False),
        sa.Column("hints", LONG, nullable=False),
        sa.Column("group_id", sa.String(length=64), nullable=False),
        sa.Column("trusted_certs", LONG, nullable=False),
        sa.Column("files", LONG, nullable=False),
        sa.Column("groups", LONG, nullable=False),
        sa.Column("locked", sa.Boolean(), nullable=False),
        sa.Column("locked_by", sa.String(length=64), nullable=False),
        sa.Column("locked_reason", sa.String(length=255), nullable=True),
        sa.Column("rescue", LONG, nullable=False),
        sa.Column("root_device", sa.String(length=64), nullable=False),
        sa.Column("hard_reboots", sa.Integer(), nullable=False),
        sa.Column("soft_reboots", sa.Integer(), nullable=False),
        sa.Column("rebuilds", sa.Integer(), nullable=False),
        sa.Column("interrupts", sa.Integer(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("zone", sa.String(length=255), nullable=False),
        sa.Column("host_status", sa.String(length=64), nullable=False),
        sa.Column("power", sa.String(length=64), nullable=False),
        sa.Column("ran", sa.BigInteger(), nullable=False),
        sa.Column("hard_reboots_met", sa.Integer(), nullable=False),
        sa.Column("soft_reboots_met", sa.Integer(), nullable=False),
        sa.Column("rebuilds_met", sa.Integer(), nullable=False),
        sa.Column("interrupts_met", sa.Integer(), nullable=False),
        sa.Column("rescued", sa.Boolean(), nullable=False),
        sa.Column("met", sa.BigInteger(), nullable=False),
        sa.Column("faulted", sa.BigInteger(), nullable=False),
        sa.Column("fault", LONG, nullable=False),
        sa.Column("offloaded", sa.Boolean(), nullable=False),
        sa.Column("shelved_image_id", sa.String(length=64), nullable=False),
        sa.Column("job", sa.String(length=64), nullable=False),
        sa.Column("move", sa.String(length=64), nullable=False),
        sa.Column("launched_at", sa.BigInteger(), nullable=False),
        sa.Column("terminated_at", sa.BigInteger(), nullable=False),
        sa.Column("addresses", LONG, nullable=False),
        sa.Column("volumes", LONG, nullable=False),
        sa.Column("security_groups", LONG, nullable=False),
        sa.Column("vm_state", sa.String(length=64), nullable=False),
        sa.Column("task_state", sa.String(length=64), nullable=False),
        sa.Column("power_state", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("progress", sa.Integer(), nullable=False),
        sa.Column("unsettled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("compute_servers_all", "compute_servers", ["deleted_at", "created_at"], unique=False)
    op.create_index("compute_servers_changed", "compute_servers", ["updated_at"], unique=False)
    op.create_index("compute_servers_host", "compute_servers", ["host"], unique=False)
    op.create_index("compute_servers_name", "compute_servers", ["project_id", "deleted_at", "name"], unique=False)
    op.create_index(
        "compute_servers_project", "compute_servers", ["project_id", "deleted_at", "created_at"], unique=False
    )
    op.create_index(
        "compute_servers_status", "compute_servers", ["project_id", "deleted_at", "status", "created_at"], unique=False
    )
    op.create_index("compute_servers_unsettled", "compute_servers", ["unsettled", "id"], unique=False)
    op.create_table(
        "compute_services",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("hypervisor_id", sa.String(length=36), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("compute_services_host", "compute_services", ["host"], unique=True)
    op.create_index("compute_services_number", "compute_services", ["number"], unique=True)
    op.create_table(
        "compute_snapshots",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("server_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("rotation", sa.BigInteger(), nullable=False),
        sa.Column("copies", LONG, nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("compute_snapshots_server", "compute_snapshots", ["server_id"], unique=False)
    op.create_table(
        "core_leases",
        sa.Column("shard", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("shard"),
        **TABLES,
    )
    op.create_table(
        "core_processes",
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("holder"),
        **TABLES,
    )
    op.create_table(
        "fleet_assignments",
        sa.Column("node", sa.String(length=255), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("spec", LONG, nullable=False),
        sa.Column("observed", sa.BigInteger(), nullable=False),
        sa.Column("sequence", sa.BigInteger(), nullable=False),
        sa.Column("facts", LONG, nullable=False),
        sa.PrimaryKeyConstraint("node", "kind", "key"),
        **TABLES,
    )
    op.create_index("fleet_assignments_key", "fleet_assignments", ["kind", "key"], unique=False)
    op.create_index("fleet_assignments_stream", "fleet_assignments", ["node", "number"], unique=False)
    op.create_table(
        "fleet_counts",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        **TABLES,
    )
    op.create_table(
        "fleet_join_tokens",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        **TABLES,
    )
    op.create_table(
        "fleet_nodes",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("secret_digest", sa.String(length=64), nullable=False),
        sa.Column("facts", LONG, nullable=False),
        sa.Column("joined_at", sa.BigInteger(), nullable=False),
        sa.Column("last_seen", sa.BigInteger(), nullable=False),
        sa.Column("zone", sa.String(length=255), nullable=False),
        sa.Column("disabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_reason", sa.String(length=255), nullable=False),
        sa.Column("forced_down", sa.Boolean(), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("local", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        **TABLES,
    )
    op.create_table(
        "fleet_notices",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("about", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("gone", sa.Boolean(), nullable=False),
        sa.Column("text", LONG, nullable=False),
        sa.PrimaryKeyConstraint("kind", "about", "key"),
        **TABLES,
    )
    op.create_index("fleet_notices_gone", "fleet_notices", ["gone", "number"], unique=False)
    op.create_index("fleet_notices_key", "fleet_notices", ["key"], unique=False)
    op.create_index("fleet_notices_stream", "fleet_notices", ["kind", "about", "number"], unique=False)
    op.create_table(
        "identity_access_rules",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("service", sa.String(length=255), nullable=False),
        sa.Column("method", sa.String(length=64), nullable=False),
        sa.Column("path", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("identity_access_rules_user", "identity_access_rules", ["user_id"], unique=False)
    op.create_table(
        "identity_access_tokens",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("consumer_id", sa.String(length=64), nullable=False),
        sa.Column("secret", LONG, nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("role_ids", LONG, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("identity_access_tokens_consumer", "identity_access_tokens", ["consumer_id"], unique=False)
    op.create_index("identity_access_tokens_user", "identity_access_tokens", ["user_id"], unique=False)
    op.create_table(
        "identity_application_credentials",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("secret", sa.String(length=255), nullable=False),
        sa.Column("role_ids", LONG, nullable=False),
        sa.Column("access_rule_ids", LONG, nullable=False),
        sa.Column("unrestricted", sa.Boolean(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index(
        "identity_application_credentials_name", "identity_application_credentials", ["user_id", "name"], unique=True
    )
    op.create_table(
        "identity_assignments",
        sa.Column("actor_id", sa.String(length=64), nullable=False),
        sa.Column("target_id", sa.String(length=64), nullable=False),
        sa.Column("role_id", sa.String(length=64), nullable=False),
        sa.Column("inherited", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("actor", sa.String(length=8), nullable=False),
        sa.PrimaryKeyConstraint("actor_id", "target_id", "role_id", "inherited", "kind"),
        **TABLES,
    )
    op.create_index("identity_assignments_role", "identity_assignments", ["role_id"], unique=False)
    op.create_index("identity_assignments_target", "identity_assignments", ["target_id"], unique=False)
    op.create_table(
        "identity_consumers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("secret", LONG, nullable=False),
        sa.Column("extra", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_table(
        "identity_credentials",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("blob", LONG, nullable=False),
        sa.Column("extra", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("identity_credentials_user", "identity_credentials", ["user_id"], unique=False)
    op.create_table(
        "identity_directory_entries",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("domain_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("local_id", sa.String(length=255), nullable=False),
        sa.Column("kept", LONG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index(
        "identity_directory_entries_domain", "identity_directory_entries", ["domain_id", "kind"], unique=False
    )
    op.create_table(
        "identity_domain_configs",
        sa.Column("domain_id", sa.String(length=64), nullable=False),
        sa.Column("group", sa.String(length=64), nullable=False),
        sa.Column("option", sa.String(length=128), nullable=False),
        sa.Column("value", LONG, nullable=False),
        sa.PrimaryKeyConstraint("domain_id", "group", "option"),
        **TABLES,
    )
    op.create_table(
        "identity_endpoint_groups",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("filters", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_table(
        "identity_endpoints",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("service_id", sa.String(length=64), nullable=False),
        sa.Column("interface", sa.String(length=64), nullable=False),
        sa.Column("region_id", sa.String(length=255), nullable=False),
        sa.Column("url", LONG, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("extra", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("identity_endpoints_service", "identity_endpoints", ["service_id"], unique=False)
    op.create_table(
        "identity_epochs",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        **TABLES,
    )
    op.create_table(
        "identity_expiring_memberships",
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("group_id", sa.String(length=64), nullable=False),
        sa.Column("idp_id", sa.String(length=64), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", "group_id", "idp_id"),
        **TABLES,
    )
    op.create_table(
        "identity_federated_identities",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("idp_id", sa.String(length=64), nullable=False),
        sa.Column("protocol_id", sa.String(length=64), nullable=False),
        sa.Column("unique_id", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index(
        "identity_federated_identities_name",
        "identity_federated_identities",
        ["idp_id", "protocol_id", "unique_id"],
        unique=True,
    )
    op.create_index("identity_federated_identities_user", "identity_federated_identities", ["user_id"], unique=False)
    op.create_table(
        "identity_groups",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("domain_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("extra", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("identity_groups_name", "identity_groups", ["domain_id", "name"], unique=True)
    op.create_table(
        "identity_implied_roles",
        sa.Column("prior_id", sa.String(length=64), nullable=False),
        sa.Column("implied_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("prior_id", "implied_id"),
        **TABLES,
    )
    op.create_table(
        "identity_limits",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("registered_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("domain_id", sa.String(length=64), nullable=False),
        sa.Column("service_id", sa.String(length=64), nullable=False),
        sa.Column("region_id", sa.String(length=255), nullable=False),
        sa.Column("resource_name", sa.String(length=255), nullable=False),
        sa.Column("resource_limit", sa.BigInteger(), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index(
        "identity_limits_name", "identity_limits", ["registered_id", "project_id", "domain_id"], unique=True
    )
    op.create_table(
        "identity_mappings",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("rules", LONG, nullable=False),
        sa.Column("schema_version", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_table(
        "identity_memberships",
        sa.Column("group_id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("since", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("group_id", "user_id"),
        **TABLES,
    )
    op.create_index("identity_memberships_user", "identity_memberships", ["user_id"], unique=False)
    op.create_table(
        "identity_old_passwords",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("password", sa.String(length=255), nullable=False),
        sa.Column("set_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("identity_old_passwords_user", "identity_old_passwords", ["user_id", "set_at"], unique=False)
    op.create_table(
        "identity_policies",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=255), nullable=False),
        sa.Column("blob", LONG, nullable=False),
        sa.Column("extra", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_table(
        "identity_policy_associations",
        sa.Column("endpoint_id", sa.String(length=64), nullable=False),
        sa.Column("service_id", sa.String(length=64), nullable=False),
        sa.Column("region_id", sa.String(length=255), nullable=False),
        sa.Column("policy_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("endpoint_id", "service_id", "region_id"),
        **TABLES,
    )
    op.create_index("identity_policy_associations_policy", "identity_policy_associations", ["policy_id"], unique=False)
    op.create_table(
        "identity_project_endpoint_groups",
        sa.Column("group_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("group_id", "project_id"),
        **TABLES,
    )
    op.create_index(
        "identity_project_endpoint_groups_project", "identity_project_endpoint_groups", ["project_id"], unique=False
    )
    op.create_table(
        "identity_project_endpoints",
        sa.Column("endpoint_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("endpoint_id", "project_id"),
        **TABLES,
    )
    op.create_index("identity_project_endpoints_project", "identity_project_endpoints", ["project_id"], unique=False)
    op.create_table(
        "identity_projects",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("domain_id", sa.String(length=64), nullable=False),
        sa.Column("parent_id", sa.String(length=64), nullable=False),
        sa.Column("is_domain", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("lineage", sa.String(length=255), nullable=False),
        sa.Column("tags", LONG, nullable=False),
        sa.Column("options", LONG, nullable=False),
        sa.Column("extra", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("identity_projects_name", "identity_projects", ["domain_id", "name"], unique=True)
    op.create_index("identity_projects_parent", "identity_projects", ["parent_id"], unique=False)
    op.create_table(
        "identity_protocols",
        sa.Column("idp_id", sa.String(length=64), nullable=False),
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("mapping_id", sa.String(length=64), nullable=False),
        sa.Column("remote_id_attribute", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("idp_id", "id"),
        **TABLES,
    )
    op.create_index("identity_protocols_mapping", "identity_protocols", ["mapping_id"], unique=False)
    op.create_table(
        "identity_providers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("domain_id", sa.String(length=64), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("authorization_ttl", sa.Integer(), nullable=False),
        sa.Column("remote_ids", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("identity_providers_domain", "identity_providers", ["domain_id"], unique=True)
    op.create_table(
        "identity_regions",
        sa.Column("id", sa.String(length=255), nullable=False),
        sa.Column("parent_id", sa.String(length=255), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("extra", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_table(
        "identity_registered_limits",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("service_id", sa.String(length=64), nullable=False),
        sa.Column("region_id", sa.String(length=255), nullable=False),
        sa.Column("resource_name", sa.String(length=255), nullable=False),
        sa.Column("default_limit", sa.BigInteger(), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index(
        "identity_registered_limits_name",
        "identity_registered_limits",
        ["service_id", "region_id", "resource_name"],
        unique=True,
    )
    op.create_table(
        "identity_remote_ids",
        sa.Column("idp_id", sa.String(length=64), nullable=False),
        sa.Column("remote_id", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("idp_id", "remote_id"),
        **TABLES,
    )
    op.create_index("identity_remote_ids_name", "identity_remote_ids", ["remote_id"], unique=True)
    op.create_table(
        "identity_request_tokens",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("consumer_id", sa.String(length=64), nullable=False),
        sa.Column("secret", LONG, nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("verifier", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("role_ids", LONG, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("identity_request_tokens_consumer", "identity_request_tokens", ["consumer_id"], unique=False)
    op.create_table(
        "identity_revocations",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("issued_before", sa.BigInteger(), nullable=False),
        sa.Column("revoked_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("identity_revocations_key", "identity_revocations", ["key"], unique=False)
    op.create_table(
        "identity_roles",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("domain_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("options", LONG, nullable=False),
        sa.Column("extra", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("identity_roles_name", "identity_roles", ["domain_id", "name"], unique=True)
    op.create_table(
        "identity_seen_assertions",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("ends_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("identity_seen_assertions_end", "identity_seen_assertions", ["ends_at"], unique=False)
    op.create_table(
        "identity_service_providers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("auth_url", sa.String(length=255), nullable=False),
        sa.Column("sp_url", sa.String(length=255), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("relay_state_prefix", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_table(
        "identity_services",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=255), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("extra", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("identity_services_type", "identity_services", ["type"], unique=False)
    op.create_table(
        "identity_tokens",
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("payload", sa.LargeBinary(length=16777215), nullable=False),
        sa.Column("issued_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest"),
        **TABLES,
    )
    op.create_index("identity_tokens_expires_at", "identity_tokens", ["expires_at"], unique=False)
    op.create_table(
        "identity_trusts",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("trustor_id", sa.String(length=64), nullable=False),
        sa.Column("trustee_id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("impersonation", sa.Boolean(), nullable=False),
        sa.Column("role_ids", LONG, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("remaining_uses", sa.Integer(), nullable=True),
        sa.Column("redelegated_from", sa.String(length=64), nullable=False),
        sa.Column("redelegation_count", sa.Integer(), nullable=False),
        sa.Column("deleted_at", sa.BigInteger(), nullable=False),
        sa.Column("extra", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("identity_trusts_trustee", "identity_trusts", ["trustee_id"], unique=False)
    op.create_index("identity_trusts_trustor", "identity_trusts", ["trustor_id"], unique=False)
    op.create_table(
        "identity_users",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("domain_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("default_project_id", sa.String(length=64), nullable=False),
        sa.Column("password", sa.String(length=255), nullable=False),
        sa.Column("password_at", sa.BigInteger(), nullable=False),
        sa.Column("password_expires_at", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("failed_at", sa.BigInteger(), nullable=False),
        sa.Column("active_at", sa.BigInteger(), nullable=False),
        sa.Column("options", LONG, nullable=False),
        sa.Column("extra", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("shadow", sa.String(length=64), nullable=False),
        sa.Column("federated", LONG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("identity_users_name", "identity_users", ["domain_id", "name", "shadow"], unique=True)
    op.create_table(
        "image_cache",
        sa.Column("image_id", sa.String(length=64), nullable=False),
        sa.Column("place", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("hits", sa.BigInteger(), nullable=False),
        sa.Column("used_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("image_id", "place"),
        **TABLES,
    )
    op.create_index("image_cache_key", "image_cache", ["key"], unique=False)
    op.create_index("image_cache_status", "image_cache", ["place", "status", "image_id"], unique=False)
    op.create_table(
        "image_images",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("visibility", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("named", sa.Boolean(), nullable=False),
        sa.Column("disk_format", sa.String(length=64), nullable=False),
        sa.Column("container_format", sa.String(length=64), nullable=False),
        sa.Column("min_disk", sa.Integer(), nullable=False),
        sa.Column("min_ram", sa.Integer(), nullable=False),
        sa.Column("protected", sa.Boolean(), nullable=False),
        sa.Column("hidden", sa.Boolean(), nullable=False),
        sa.Column("properties", LONG, nullable=False),
        sa.Column("tags", LONG, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("virtual_size", sa.BigInteger(), nullable=False),
        sa.Column("checksum", sa.String(length=64), nullable=False),
        sa.Column("hash_algo", sa.String(length=64), nullable=False),
        sa.Column("hash_value", sa.String(length=128), nullable=False),
        sa.Column("data_key", sa.String(length=64), nullable=False),
        sa.Column("stores", sa.String(length=255), nullable=False),
        sa.Column("locations", LONG, nullable=False),
        sa.Column("digest", sa.String(length=128), nullable=False),
        sa.Column("staged_key", sa.String(length=64), nullable=False),
        sa.Column("staged_size", sa.BigInteger(), nullable=False),
        sa.Column("touched_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("image_images_created", "image_images", ["created_at", "id"], unique=False)
    op.create_index("image_images_data", "image_images", ["data_key"], unique=False)
    op.create_index("image_images_owner", "image_images", ["owner", "created_at"], unique=False)
    op.create_index("image_images_staged", "image_images", ["staged_key"], unique=False)
    op.create_index("image_images_status", "image_images", ["status", "id"], unique=False)
    op.create_table(
        "image_md_associations",
        sa.Column("namespace_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("prefix", sa.String(length=255), nullable=False),
        sa.Column("properties_target", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("namespace_id", "name"),
        **TABLES,
    )
    op.create_table(
        "image_md_namespaces",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("namespace", sa.String(length=255), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("visibility", sa.String(length=64), nullable=False),
        sa.Column("protected", sa.Boolean(), nullable=False),
        sa.Column("display_name", sa.String(length=255), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("image_md_namespaces_name", "image_md_namespaces", ["namespace"], unique=True)
    op.create_table(
        "image_md_objects",
        sa.Column("namespace_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("required", LONG, nullable=False),
        sa.Column("properties", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("namespace_id", "name"),
        **TABLES,
    )
    op.create_table(
        "image_md_properties",
        sa.Column("namespace_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("schema", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("namespace_id", "name"),
        **TABLES,
    )
    op.create_table(
        "image_md_resource_types",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        **TABLES,
    )
    op.create_table(
        "image_md_tags",
        sa.Column("namespace_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("namespace_id", "name"),
        **TABLES,
    )
    op.create_table(
        "image_members",
        sa.Column("image_id", sa.String(length=64), nullable=False),
        sa.Column("member_id", sa.String(length=255), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("image_id", "member_id"),
        **TABLES,
    )
    op.create_index("image_members_member", "image_members", ["member_id", "status", "image_id"], unique=False)
    op.create_table(
        "image_properties",
        sa.Column("image_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("value", LONG, nullable=False),
        sa.PrimaryKeyConstraint("image_id", "name"),
        **TABLES,
    )
    op.create_index("image_properties_value", "image_properties", ["name", "image_id"], unique=False)
    op.create_table(
        "image_tags",
        sa.Column("image_id", sa.String(length=64), nullable=False),
        sa.Column("value", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("image_id", "value"),
        **TABLES,
    )
    op.create_index("image_tags_value", "image_tags", ["value", "image_id"], unique=False)
    op.create_table(
        "image_tasks",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=64), nullable=False),
        sa.Column("request_id", sa.String(length=64), nullable=False),
        sa.Column("image_id", sa.String(length=64), nullable=False),
        sa.Column("input", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("result", LONG, nullable=False),
        sa.Column("message", LONG, nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("image_tasks_expires", "image_tasks", ["expires_at"], unique=False)
    op.create_index("image_tasks_image", "image_tasks", ["image_id"], unique=False)
    op.create_index("image_tasks_status", "image_tasks", ["status", "id"], unique=False)
    op.create_table(
        "network_address_groups",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("addresses", LONG, nullable=False),
        sa.Column("shared_with", LONG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_address_groups_project", "network_address_groups", ["project_id"], unique=False)
    op.create_table(
        "network_address_scopes",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("shared_with", LONG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_address_scopes_project", "network_address_scopes", ["project_id"], unique=False)
    op.create_table(
        "network_addresses",
        sa.Column("subnet_id", sa.String(length=36), nullable=False),
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("ip", sa.String(length=64), nullable=False),
        sa.Column("port_id", sa.String(length=64), nullable=False),
        sa.Column("network_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("subnet_id", "key"),
        **TABLES,
    )
    op.create_index("network_addresses_ip", "network_addresses", ["ip"], unique=False)
    op.create_index("network_addresses_port", "network_addresses", ["port_id"], unique=False)
    op.create_table(
        "network_agents",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("admin_up", sa.Boolean(), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("gone_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_table(
        "network_auto_topologies",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("network_id", sa.String(length=64), nullable=False),
        sa.Column("router_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("project_id"),
        **TABLES,
    )
    op.create_table(
        "network_conntrack_helpers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("router_id", sa.String(length=64), nullable=False),
        sa.Column("protocol", sa.String(length=64), nullable=False),
        sa.Column("port", sa.Integer(), nullable=False),
        sa.Column("helper", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index(
        "network_conntrack_helpers_once",
        "network_conntrack_helpers",
        ["router_id", "protocol", "port", "helper"],
        unique=True,
    )
    op.create_table(
        "network_default_rules",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("direction", sa.String(length=64), nullable=False),
        sa.Column("ethertype", sa.String(length=64), nullable=False),
        sa.Column("protocol", sa.String(length=64), nullable=False),
        sa.Column("port_min", sa.Integer(), nullable=True),
        sa.Column("port_max", sa.Integer(), nullable=True),
        sa.Column("remote_ip_prefix", sa.String(length=64), nullable=False),
        sa.Column("remote_group_id", sa.String(length=64), nullable=False),
        sa.Column("remote_address_group_id", sa.String(length=64), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("in_default", sa.Boolean(), nullable=False),
        sa.Column("in_others", sa.Boolean(), nullable=False),
        sa.Column("once_in_default", sa.String(length=64), nullable=True),
        sa.Column("once_in_others", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_default_rules_in_default", "network_default_rules", ["once_in_default"], unique=True)
    op.create_index("network_default_rules_in_others", "network_default_rules", ["once_in_others"], unique=True)
    op.create_table(
        "network_default_statefulness",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("stateful", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_default_statefulness_project", "network_default_statefulness", ["project_id"], unique=True)
    op.create_table(
        "network_departures",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("kind", "id"),
        **TABLES,
    )
    op.create_table(
        "network_exclusions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id", "host"),
        **TABLES,
    )
    op.create_index("network_exclusions_host", "network_exclusions", ["host"], unique=False)
    op.create_table(
        "network_flavor_profiles",
        sa.Column("flavor_id", sa.String(length=36), nullable=False),
        sa.Column("profile_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("flavor_id", "profile_id"),
        **TABLES,
    )
    op.create_index("network_flavor_profiles_profile", "network_flavor_profiles", ["profile_id"], unique=False)
    op.create_table(
        "network_flavors",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("service_type", sa.String(length=64), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("profiles", LONG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_table(
        "network_floating_ips",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("network_id", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("own_port_id", sa.String(length=64), nullable=False),
        sa.Column("port_id", sa.String(length=64), nullable=False),
        sa.Column("fixed", sa.String(length=64), nullable=False),
        sa.Column("fixed_of", sa.String(length=128), nullable=True),
        sa.Column("router_id", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("dns_name", sa.String(length=255), nullable=False),
        sa.Column("dns_domain", sa.String(length=255), nullable=False),
        sa.Column("port_details", LONG, nullable=False),
        sa.Column("forwardings", LONG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_floating_ips_fixed", "network_floating_ips", ["fixed_of"], unique=True)
    op.create_index("network_floating_ips_network", "network_floating_ips", ["network_id"], unique=False)
    op.create_index("network_floating_ips_port", "network_floating_ips", ["port_id"], unique=False)
    op.create_index("network_floating_ips_project", "network_floating_ips", ["project_id"], unique=False)
    op.create_index("network_floating_ips_router", "network_floating_ips", ["router_id"], unique=False)
    op.create_table(
        "network_host_wires",
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("wires", LONG, nullable=False),
        sa.PrimaryKeyConstraint("host"),
        **TABLES,
    )
    op.create_table(
        "network_hosts",
        sa.Column("network_id", sa.String(length=36), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("network_id", "host"),
        **TABLES,
    )
    op.create_index("network_hosts_host", "network_hosts", ["host"], unique=False)
    op.create_table(
        "network_local_ip_ports",
        sa.Column("local_ip_id", sa.String(length=36), nullable=False),
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("fixed", sa.String(length=64), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("local_ip_id", "id"),
        **TABLES,
    )
    op.create_index("network_local_ip_ports_port", "network_local_ip_ports", ["id"], unique=False)
    op.create_table(
        "network_local_ips",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("network_id", sa.String(length=64), nullable=False),
        sa.Column("port_id", sa.String(length=64), nullable=False),
        sa.Column("address", sa.String(length=64), nullable=False),
        sa.Column("mode", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_local_ips_port", "network_local_ips", ["port_id"], unique=False)
    op.create_index("network_local_ips_project", "network_local_ips", ["project_id"], unique=False)
    op.create_table(
        "network_logs",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("resource_type", sa.String(length=64), nullable=False),
        sa.Column("group_id", sa.String(length=64), nullable=False),
        sa.Column("port_id", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_logs_group", "network_logs", ["group_id"], unique=False)
    op.create_index("network_logs_port", "network_logs", ["port_id"], unique=False)
    op.create_index("network_logs_project", "network_logs", ["project_id"], unique=False)
    op.create_table(
        "network_metering_labels",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_metering_labels_project", "network_metering_labels", ["project_id"], unique=False)
    op.create_index("network_metering_labels_shared", "network_metering_labels", ["shared"], unique=False)
    op.create_table(
        "network_metering_rules",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("label_id", sa.String(length=64), nullable=False),
        sa.Column("direction", sa.String(length=64), nullable=False),
        sa.Column("excluded", sa.Boolean(), nullable=False),
        sa.Column("remote", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("destination", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_metering_rules_label", "network_metering_rules", ["label_id"], unique=False)
    op.create_table(
        "network_ndp_proxies",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("router_id", sa.String(length=64), nullable=False),
        sa.Column("port_id", sa.String(length=64), nullable=False),
        sa.Column("ip", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_ndp_proxies_port", "network_ndp_proxies", ["port_id"], unique=False)
    op.create_index("network_ndp_proxies_project", "network_ndp_proxies", ["project_id"], unique=False)
    op.create_index("network_ndp_proxies_router", "network_ndp_proxies", ["router_id"], unique=False)
    op.create_table(
        "network_networks",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("admin_up", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("mtu", sa.Integer(), nullable=False),
        sa.Column("external", sa.Boolean(), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("shared_with", LONG, nullable=False),
        sa.Column("port_security", sa.Boolean(), nullable=False),
        sa.Column("dns_domain", sa.String(length=255), nullable=False),
        sa.Column("qos_policy_id", sa.String(length=64), nullable=False),
        sa.Column("zone_hints", LONG, nullable=False),
        sa.Column("subnets", LONG, nullable=False),
        sa.Column("scope_v4", sa.String(length=64), nullable=False),
        sa.Column("scope_v6", sa.String(length=64), nullable=False),
        sa.Column("network_type", sa.String(length=64), nullable=False),
        sa.Column("physical_network", sa.String(length=64), nullable=False),
        sa.Column("segmentation_id", sa.Integer(), nullable=True),
        sa.Column("segments", LONG, nullable=False),
        sa.Column("routed", sa.Boolean(), nullable=False),
        sa.Column("dhcp_mac", sa.String(length=64), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("unsettled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_networks_project", "network_networks", ["project_id"], unique=False)
    op.create_index("network_networks_unsettled", "network_networks", ["unsettled"], unique=False)
    op.create_table(
        "network_offers",
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("offered", LONG, nullable=False),
        sa.PrimaryKeyConstraint("host"),
        **TABLES,
    )
    op.create_table(
        "network_port_bindings",
        sa.Column("port_id", sa.String(length=36), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("vnic_type", sa.String(length=64), nullable=False),
        sa.Column("profile", LONG, nullable=False),
        sa.Column("ready", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("port_id", "host"),
        **TABLES,
    )
    op.create_index("network_port_bindings_host", "network_port_bindings", ["host"], unique=False)
    op.create_table(
        "network_port_forwardings",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("floating_ip_id", sa.String(length=64), nullable=False),
        sa.Column("protocol", sa.String(length=64), nullable=False),
        sa.Column("external_port", sa.Integer(), nullable=False),
        sa.Column("external_last", sa.Integer(), nullable=False),
        sa.Column("internal_port", sa.Integer(), nullable=False),
        sa.Column("internal_last", sa.Integer(), nullable=False),
        sa.Column("internal_ip", sa.String(length=64), nullable=False),
        sa.Column("port_id", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_port_forwardings_floating", "network_port_forwardings", ["floating_ip_id"], unique=False)
    op.create_index(
        "network_port_forwardings_outer",
        "network_port_forwardings",
        ["floating_ip_id", "protocol", "external_port"],
        unique=True,
    )
    op.create_index("network_port_forwardings_port", "network_port_forwardings", ["port_id"], unique=False)
    op.create_table(
        "network_port_groups",
        sa.Column("port_id", sa.String(length=36), nullable=False),
        sa.Column("group_id", sa.String(length=36), nullable=False),
        sa.PrimaryKeyConstraint("port_id", "group_id"),
        **TABLES,
    )
    op.create_index("network_port_groups_group", "network_port_groups", ["group_id"], unique=False)
    op.create_table(
        "network_ports",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("network_id", sa.String(length=64), nullable=False),
        sa.Column("network_project_id", sa.String(length=64), nullable=False),
        sa.Column("mac", sa.String(length=64), nullable=False),
        sa.Column("admin_up", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("device_id", sa.String(length=255), nullable=False),
        sa.Column("device_owner", sa.String(length=255), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("vnic_type", sa.String(length=64), nullable=False),
        sa.Column("profile", LONG, nullable=False),
        sa.Column("port_security", sa.Boolean(), nullable=False),
        sa.Column("fixed_ips", LONG, nullable=False),
        sa.Column("groups", LONG, nullable=False),
        sa.Column("pairs", LONG, nullable=False),
        sa.Column("dhcp_options", LONG, nullable=False),
        sa.Column("dns_name", sa.String(length=255), nullable=False),
        sa.Column("dns_assignment", LONG, nullable=False),
        sa.Column("qos_policy_id", sa.String(length=64), nullable=False),
        sa.Column("qos_network_policy_id", sa.String(length=64), nullable=False),
        sa.Column("resource_request", LONG, nullable=False),
        sa.Column("allocation", LONG, nullable=False),
        sa.Column("plug_key", sa.String(length=255), nullable=True),
        sa.Column("preserve", sa.Boolean(), nullable=False),
        sa.Column("nic_tag", sa.String(length=255), nullable=False),
        sa.Column("trunk_id", sa.String(length=64), nullable=False),
        sa.Column("trunk", LONG, nullable=False),
        sa.Column("ip_allocation", sa.String(length=64), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.Column("up", sa.Boolean(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("unsettled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_ports_device", "network_ports", ["device_id"], unique=False)
    op.create_index("network_ports_host", "network_ports", ["network_id", "host"], unique=False)
    op.create_index("network_ports_key", "network_ports", ["plug_key"], unique=True)
    op.create_index("network_ports_mac", "network_ports", ["network_id", "mac"], unique=True)
    op.create_index("network_ports_network", "network_ports", ["network_project_id"], unique=False)
    op.create_index("network_ports_project", "network_ports", ["project_id"], unique=False)
    op.create_index("network_ports_unsettled", "network_ports", ["unsettled"], unique=False)
    op.create_table(
        "network_qos_defaults",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("policy_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("project_id"),
        **TABLES,
    )
    op.create_table(
        "network_qos_policies",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("shared_with", LONG, nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("rules", LONG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_qos_policies_project", "network_qos_policies", ["project_id"], unique=False)
    op.create_table(
        "network_qos_rules",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("policy_id", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("direction", sa.String(length=64), nullable=False),
        sa.Column("rate", sa.BigInteger(), nullable=False),
        sa.Column("burst", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_qos_rules_once", "network_qos_rules", ["policy_id", "type", "direction"], unique=True)
    op.create_table(
        "network_rbac_policies",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("object_type", sa.String(length=64), nullable=False),
        sa.Column("object_id", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("target", sa.String(length=64), nullable=False),
        sa.Column("counted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index(
        "network_rbac_policies_once", "network_rbac_policies", ["object_id", "action", "target"], unique=True
    )
    op.create_index("network_rbac_policies_target", "network_rbac_policies", ["object_type", "target"], unique=False)
    op.create_table(
        "network_router_hosts",
        sa.Column("router_id", sa.String(length=36), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("port_id", sa.String(length=64), nullable=False),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("router_id", "host"),
        **TABLES,
    )
    op.create_index("network_router_hosts_host", "network_router_hosts", ["host"], unique=False)
    op.create_table(
        "network_routers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("admin_up", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("gateway_port_id", sa.String(length=64), nullable=False),
        sa.Column("gateway_network_id", sa.String(length=64), nullable=False),
        sa.Column("gateway", LONG, nullable=False),
        sa.Column("gateways", LONG, nullable=False),
        sa.Column("snat", sa.Boolean(), nullable=False),
        sa.Column("ecmp", sa.Boolean(), nullable=False),
        sa.Column("bfd", sa.Boolean(), nullable=False),
        sa.Column("routes", LONG, nullable=False),
        sa.Column("zone_hints", LONG, nullable=False),
        sa.Column("helpers", LONG, nullable=False),
        sa.Column("ndp_proxy", sa.Boolean(), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("ha", sa.Boolean(), nullable=False),
        sa.Column("ha_number", sa.Integer(), nullable=True),
        sa.Column("flavor_id", sa.String(length=64), nullable=False),
        sa.Column("by_hand", sa.Boolean(), nullable=False),
        sa.Column("rests_at", sa.BigInteger(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("unsettled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_routers_flavor", "network_routers", ["flavor_id"], unique=False)
    op.create_index("network_routers_host", "network_routers", ["host"], unique=False)
    op.create_index("network_routers_number", "network_routers", ["project_id", "ha_number"], unique=True)
    op.create_index("network_routers_project", "network_routers", ["project_id"], unique=False)
    op.create_index("network_routers_unsettled", "network_routers", ["unsettled"], unique=False)
    op.create_table(
        "network_security_group_rules",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("group_id", sa.String(length=64), nullable=False),
        sa.Column("of_default", sa.Boolean(), nullable=False),
        sa.Column("direction", sa.String(length=64), nullable=False),
        sa.Column("ethertype", sa.String(length=64), nullable=False),
        sa.Column("protocol", sa.String(length=64), nullable=False),
        sa.Column("port_min", sa.Integer(), nullable=True),
        sa.Column("port_max", sa.Integer(), nullable=True),
        sa.Column("remote_ip_prefix", sa.String(length=64), nullable=False),
        sa.Column("remote_group_id", sa.String(length=64), nullable=False),
        sa.Column("remote_address_group_id", sa.String(length=64), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index(
        "network_security_group_rules_addresses",
        "network_security_group_rules",
        ["remote_address_group_id"],
        unique=False,
    )
    op.create_index("network_security_group_rules_group", "network_security_group_rules", ["group_id"], unique=False)
    op.create_index("network_security_group_rules_once", "network_security_group_rules", ["fingerprint"], unique=True)
    op.create_index(
        "network_security_group_rules_remote", "network_security_group_rules", ["remote_group_id"], unique=False
    )
    op.create_table(
        "network_security_groups",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("stateful", sa.Boolean(), nullable=False),
        sa.Column("shared_with", LONG, nullable=False),
        sa.Column("default_of", sa.String(length=64), nullable=True),
        sa.Column("rules", LONG, nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("unsettled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_security_groups_default", "network_security_groups", ["default_of"], unique=True)
    op.create_index("network_security_groups_project", "network_security_groups", ["project_id"], unique=False)
    op.create_index("network_security_groups_unsettled", "network_security_groups", ["unsettled"], unique=False)
    op.create_table(
        "network_segment_ranges",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("default_of", sa.String(length=128), nullable=True),
        sa.Column("shared", sa.Boolean(), nullable=False),
        sa.Column("network_type", sa.String(length=64), nullable=False),
        sa.Column("physical_network", sa.String(length=64), nullable=False),
        sa.Column("minimum", sa.Integer(), nullable=False),
        sa.Column("maximum", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_segment_ranges_default", "network_segment_ranges", ["default_of"], unique=True)
    op.create_index(
        "network_segment_ranges_kind", "network_segment_ranges", ["network_type", "physical_network"], unique=False
    )
    op.create_table(
        "network_segments",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("network_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("network_type", sa.String(length=64), nullable=False),
        sa.Column("physical_network", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=True),
        sa.Column("place", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_segments_network", "network_segments", ["network_id"], unique=False)
    op.create_index(
        "network_segments_number", "network_segments", ["network_type", "physical_network", "number"], unique=True
    )
    op.create_table(
        "network_service_profiles",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("description", LONG, nullable=False),
        sa.Column("driver", LONG, nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("metainfo", LONG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_table(
        "network_standby_networks",
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("network_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("project_id"),
        **TABLES,
    )
    op.create_table(
        "network_sub_ports",
        sa.Column("port_id", sa.String(length=36), nullable=False),
        sa.Column("trunk_id", sa.String(length=64), nullable=False),
        sa.Column("tag", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("port_id"),
        **TABLES,
    )
    op.create_index("network_sub_ports_tag", "network_sub_ports", ["trunk_id", "tag"], unique=True)
    op.create_table(
        "network_subnetpools",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("prefixes", LONG, nullable=False),
        sa.Column("min_prefixlen", sa.Integer(), nullable=False),
        sa.Column("max_prefixlen", sa.Integer(), nullable=False),
        sa.Column("default_prefixlen", sa.Integer(), nullable=False),
        sa.Column("default_quota", sa.Integer(), nullable=True),
        sa.Column("scope_id", sa.String(length=64), nullable=False),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("shared_with", LONG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_subnetpools_project", "network_subnetpools", ["project_id"], unique=False)
    op.create_table(
        "network_subnets",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("network_id", sa.String(length=64), nullable=False),
        sa.Column("network_project_id", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("cidr", sa.String(length=64), nullable=False),
        sa.Column("gateway", sa.String(length=64), nullable=False),
        sa.Column("dhcp", sa.Boolean(), nullable=False),
        sa.Column("pools", LONG, nullable=False),
        sa.Column("dns", LONG, nullable=False),
        sa.Column("routes", LONG, nullable=False),
        sa.Column("service_types", LONG, nullable=False),
        sa.Column("ra_mode", sa.String(length=64), nullable=False),
        sa.Column("address_mode", sa.String(length=64), nullable=False),
        sa.Column("subnetpool_id", sa.String(length=64), nullable=False),
        sa.Column("segment_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_subnets_network", "network_subnets", ["network_id"], unique=False)
    op.create_index("network_subnets_pool", "network_subnets", ["subnetpool_id"], unique=False)
    op.create_index("network_subnets_project", "network_subnets", ["project_id"], unique=False)
    op.create_table(
        "network_tags",
        sa.Column("resource_id", sa.String(length=36), nullable=False),
        sa.Column("tag", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("resource_id", "tag"),
        **TABLES,
    )
    op.create_index("network_tags_tag", "network_tags", ["tag"], unique=False)
    op.create_table(
        "network_templates",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_table(
        "network_trunks",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.String(length=255), nullable=False),
        sa.Column("tags", LONG, nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("admin_up", sa.Boolean(), nullable=False),
        sa.Column("status", sa.String(length=64), nullable=False),
        sa.Column("port_id", sa.String(length=64), nullable=False),
        sa.Column("sub_ports", LONG, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("network_trunks_port", "network_trunks", ["port_id"], unique=True)
    op.create_index("network_trunks_project", "network_trunks", ["project_id"], unique=False)
    op.create_table(
        "placement_allocations",
        sa.Column("consumer_id", sa.String(length=64), nullable=False),
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("resource_class", sa.String(length=255), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("consumer_id", "provider_id", "resource_class"),
        **TABLES,
    )
    op.create_index("placement_allocations_provider", "placement_allocations", ["provider_id"], unique=False)
    op.create_table(
        "placement_classes",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        **TABLES,
    )
    op.create_table(
        "placement_consumers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("type", sa.String(length=255), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_table(
        "placement_inventories",
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("resource_class", sa.String(length=255), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("reserved", sa.BigInteger(), nullable=False),
        sa.Column("min_unit", sa.BigInteger(), nullable=False),
        sa.Column("max_unit", sa.BigInteger(), nullable=False),
        sa.Column("step_size", sa.BigInteger(), nullable=False),
        sa.Column("allocation_ratio", sa.Double(), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("provider_id", "resource_class"),
        **TABLES,
    )
    op.create_table(
        "placement_provider_aggregates",
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("aggregate_id", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("provider_id", "aggregate_id"),
        **TABLES,
    )
    op.create_table(
        "placement_provider_traits",
        sa.Column("provider_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("provider_id", "name"),
        **TABLES,
    )
    op.create_index("placement_provider_traits_name", "placement_provider_traits", ["name"], unique=False)
    op.create_table(
        "placement_providers",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("parent_id", sa.String(length=64), nullable=False),
        sa.Column("root_id", sa.String(length=64), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        **TABLES,
    )
    op.create_index("placement_providers_name", "placement_providers", ["name"], unique=True)
    op.create_table(
        "placement_traits",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        **TABLES,
    )
    op.create_table(
        "quota_usages",
        sa.Column("room", sa.String(length=32), nullable=False),
        sa.Column("project_id", sa.String(length=64), nullable=False),
        sa.Column("resource", sa.String(length=64), nullable=False),
        sa.Column("used", sa.BigInteger(), nullable=False),
        sa.Column("allowed", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("room", "project_id", "resource"),
        **TABLES,
    )
