"""How routers, and what they answer and open for can fail. Clients read the class names."""

from __future__ import annotations

from cumulet.core.errors import BadRequest, Conflict, NotFound


class RouterNotFound(NotFound):
    pass


class RouterInUse(Conflict):
    pass


class RouterInterfaceNotFound(NotFound):
    pass


class RouterInterfaceNotFoundForSubnet(NotFound):
    pass


class RouterInterfaceInUseByFloatingIP(Conflict):
    pass


class RouterInterfaceInUseByRoute(Conflict):
    pass


class RouterExternalGatewayInUseByFloatingIp(Conflict):
    pass


class NoVRIDAvailable(Conflict):
    pass


class ConntrackHelperNotFound(NotFound):
    pass


class NDPProxyNotFound(NotFound):
    pass


class RouterNDPProxyNotEnable(Conflict):
    pass


class RouterGatewayNotValid(Conflict):
    """Its gateway does not lead into an IPv6 address scope."""


class RouterGatewayInUseByNDPProxy(Conflict):
    pass


class RouterInterfaceInUseByNDPProxy(Conflict):
    pass


class PortUnreachableRouter(Conflict):
    pass


class AddressScopeConflict(Conflict):
    pass


class InvalidAddress(BadRequest):
    pass
