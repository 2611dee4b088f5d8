"""The networking of this node: networks, ports, groups and routers, made in one piece."""
