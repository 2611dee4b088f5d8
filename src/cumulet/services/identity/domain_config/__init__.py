"""Configuration of single domains, kept for the drivers that read users from elsewhere."""
