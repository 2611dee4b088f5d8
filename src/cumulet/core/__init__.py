"""What every service needs, and no service in particular."""
