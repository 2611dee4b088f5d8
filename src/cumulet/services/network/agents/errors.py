"""How agents, and the choosing between them, can fail. Clients read the class names."""

from __future__ import annotations

from cumulet.core.errors import Conflict, NotFound


class AgentNotFound(NotFound):
    pass


class InvalidDHCPAgent(NotFound):
    pass


class InvalidL3Agent(Conflict):
    pass


class NetworkHostedByDHCPAgent(Conflict):
    pass


class NetworkNotHostedByDhcpAgent(Conflict):
    pass


class RouterHostedByL3Agent(Conflict):
    pass


class RouterNotHostedByL3Agent(Conflict):
    pass
