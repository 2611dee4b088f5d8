"""Delegations: trusts from one user to another, and application credentials from a user to his programs."""
