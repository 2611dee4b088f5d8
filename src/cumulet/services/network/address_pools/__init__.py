"""Subnet pools, from which subnets take their prefixes, and address scopes, within which addresses are unique."""
