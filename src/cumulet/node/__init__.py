"""The agent on a host: it fetches what is assigned to it, makes it so, and reports what it found."""
