"""Passwords: how they are stored, checked and renewed."""
