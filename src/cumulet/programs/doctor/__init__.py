"""`cumulet doctor`: every prerequisite tried out, each failure with its remedy."""
