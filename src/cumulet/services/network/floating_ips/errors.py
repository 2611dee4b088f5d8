"""How floating IPs and port forwardings can fail. Clients read the class names."""

from __future__ import annotations

from cumulet.core.errors import Conflict, NotFound


class FloatingIPNotFound(NotFound):
    pass


class FloatingIPPortAlreadyAssociated(Conflict):
    pass


class FloatingIPUsedByPortForwarding(Conflict):
    pass


class ExternalGatewayForFloatingIPNotFound(NotFound):
    pass


class PortForwardingNotFound(NotFound):
    pass
