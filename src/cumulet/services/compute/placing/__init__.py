"""Choosing a host: which nodes can take a server, which of them takes it best, and why the others cannot. Pure."""
