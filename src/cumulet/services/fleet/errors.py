"""How the fleet can fail."""

from __future__ import annotations

from cumulet.core.errors import Conflict, NotFound, Unauthorized, Unavailable


class NodeNotFound(NotFound):
    pass


class NodeUnknown(Unauthorized):
    """The secret is not that of this node."""


class JoinRefused(Unauthorized):
    """The token for joining is unknown, used or too old."""


class NodeTaken(Conflict):
    """Another node has this name."""


class NodeSilent(Unavailable):
    """A node does not answer an ask."""
