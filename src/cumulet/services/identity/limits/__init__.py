"""Limits: how much of a resource a project or domain may have, as services agree with the operator."""
