"""Routers: between networks, and out of the cloud."""
