"""How subnets can fail. Clients read the class names."""

from __future__ import annotations

from cumulet.core.errors import BadRequest, Conflict, NotFound


class SubnetNotFound(NotFound):
    pass


class SubnetInUse(Conflict):
    pass


class NetworkMTUSubnetConflict(Conflict):
    pass


class InvalidAllocationPool(BadRequest):
    pass


class OutOfBoundsAllocationPool(BadRequest):
    pass


class OverlappingAllocationPools(Conflict):
    pass


class GatewayConflictWithAllocationPools(Conflict):
    pass


class GatewayIpInUse(Conflict):
    pass


class NetworkIdsDontMatch(BadRequest):
    """The segment is another network's."""


class SubnetsNotAllAssociatedWithSegments(BadRequest):
    pass


class SubnetSegmentAssociationChangeNotAllowed(BadRequest):
    pass
