"""The only place where parts meet: the command line, the API server, the node agent."""
