"""Worlds for the suites of hypervisors: the same things can be done to pretended machines and to real ones."""
