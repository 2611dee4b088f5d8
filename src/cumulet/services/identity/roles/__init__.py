"""Roles: names of duties, global or of one domain, some of which imply others."""
