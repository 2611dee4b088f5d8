"""Block storage: volumes, their snapshots, backups and types."""
