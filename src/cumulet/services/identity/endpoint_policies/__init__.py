"""Policies kept for services, and which endpoint is to follow which."""
