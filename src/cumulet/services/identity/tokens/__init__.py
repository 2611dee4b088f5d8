"""Tokens: statements of who somebody is and where, in the form that the operator chose (providers.py)."""
