"""Allocations: who holds how much of which provider."""
