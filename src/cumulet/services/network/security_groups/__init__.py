"""Security groups: what may pass at the ports that are their members."""
