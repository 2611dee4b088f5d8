"""OAuth: programs of others that act for a user with some of his roles (1.0a), and client credentials (2.0)."""
