"""What is on the nodes and belongs to nobody here: found, taken over, and let go of without being destroyed."""
