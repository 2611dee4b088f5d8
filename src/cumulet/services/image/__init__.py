"""Image: what machines and volumes are made from."""
