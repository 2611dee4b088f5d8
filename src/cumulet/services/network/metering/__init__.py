"""Metering: labels whose rules say which of the traffic through gateways is counted."""
