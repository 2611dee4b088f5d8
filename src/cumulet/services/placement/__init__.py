"""Placement: what each host has, and who has claimed how much of it."""
