"""Quality of service: policies, and the limits and marks that are their rules."""
