"""Projects, and the domains at the root of their trees: a domain is a project without a parent."""
