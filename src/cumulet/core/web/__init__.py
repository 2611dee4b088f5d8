"""HTTP for every room: declared resources, microversions, listings, faults.

A room declares; this package routes, checks, narrows, pages, shows and refuses. Read `resource.py` first.
"""
