"""Groups: users who are given roles together."""
