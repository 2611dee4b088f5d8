"""Inventories: how much of each resource a provider offers."""
