"""Trunks: a port whose interface carries the frames of others, each under its tag."""
