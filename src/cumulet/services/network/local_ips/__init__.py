"""Local IPs: addresses of a network that lead, on each node, to a port that lives there."""
