"""How ports and their bindings can fail. Clients read the class names."""

from __future__ import annotations

from cumulet.core.errors import BadRequest, Conflict, NotFound


class PortNotFound(NotFound):
    pass


class PortInUse(Conflict):
    pass


class PortInUseAsTrunkParent(PortInUse):
    pass


class PortInUseAsSubPort(PortInUse):
    pass


class ServicePortInUse(Conflict):
    """A port that belongs to a router or another noun, and goes only with it."""


class PortBindingNotFound(NotFound):
    pass


class PortBindingAlreadyExists(Conflict):
    pass


class PortBindingAlreadyActive(Conflict):
    pass


class MacAddressInUse(Conflict):
    pass


class IpAddressInUse(Conflict):
    pass


class IpAddressAlreadyAllocated(Conflict):
    pass


class IpAddressGenerationFailure(Conflict):
    pass


class InvalidIpForNetwork(BadRequest):
    pass


class InvalidIpForSubnet(BadRequest):
    pass


class HostNotConnectedToAnySegment(Conflict):
    pass


class HostNotCompatibleWithFixedIps(Conflict):
    pass


class PortSecurityPortHasSecurityGroup(Conflict):
    pass


class AddressPairAndPortSecurityRequired(Conflict):
    pass


class QosPlacementAllocationUpdateConflict(Conflict):
    pass
