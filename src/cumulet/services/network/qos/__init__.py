"""Quality of service: policies, and the limits, promises and marks that are their rules."""
