"""Network: networks, subnets, ports, routers, and who may reach whom."""
