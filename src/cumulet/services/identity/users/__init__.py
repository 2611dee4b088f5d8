"""Users: who may authenticate, with what, and under which options."""
