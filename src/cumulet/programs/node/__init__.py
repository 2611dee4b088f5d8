"""`cumulet node`: the agent of this host, over real machines and networks."""
