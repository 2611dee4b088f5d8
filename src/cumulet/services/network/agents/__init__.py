"""Agents: the nodes in the words of clients, and how administrators choose which node serves what."""
