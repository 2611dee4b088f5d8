"""One room for each API; each holds the wishes of its users."""
