"""Block storage: volumes that outlive servers.

Its nouns: volumes, their attachments, snapshots, types, transfers, backups, quotas. Its promise: a wish is stored and
answered at once; the reconciler has a node make it so; nothing stays `attaching` or `detaching`, because the truth
about a connection is the machine's. Its oddities: the project id may stand in the path, and a full quota is 413.
"""
