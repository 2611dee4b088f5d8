"""Fleet: the nodes, what each is ordered to hold, and what it reported.

Rooms that own machines, ports or volumes write complete specs here as assignments and read facts back. The nodes fetch
their assignments and report over a small HTTP API of their own, authenticated by a secret for each node. A thing is
only ever destroyed by an explicit order, an assignment that is `gone`, kept until the node has acknowledged it.
"""
