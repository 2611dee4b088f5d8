"""Choosing the pool that a volume is made in: filters and weighers under the names that operators know. Pure."""
