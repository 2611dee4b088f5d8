"""Credentials: secrets kept for users, sealed while they lie in the database."""
