"""Tokens: sealed statements of who somebody is and where; small, readable by us alone, and never stored."""
