"""Subnets: the addresses of a network, and what DHCP tells about them."""
