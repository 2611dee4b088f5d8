"""Flavors: what an administrator offers, in a name of his own, of the ways in which things are made."""
