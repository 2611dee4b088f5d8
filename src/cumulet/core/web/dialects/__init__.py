"""How each family of services speaks: faults, links, version headers. The oddities live here, one file a family."""
