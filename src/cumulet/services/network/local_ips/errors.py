"""How local IPs can fail. Clients read the class names."""

from __future__ import annotations

from cumulet.core.errors import BadRequest, Conflict, NotFound


class LocalIPNotFound(NotFound):
    pass


class LocalIPInUse(Conflict):
    pass


class LocalIPPortOrNetworkRequired(BadRequest):
    pass


class LocalIPRequestedIPNotFound(BadRequest):
    pass


class LocalIPNoRequestedIP(BadRequest):
    """Several addresses could be meant."""


class LocalIPAssociationNotFound(NotFound):
    pass


class LocalIPAssociationExists(Conflict):
    pass
