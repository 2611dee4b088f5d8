"""How subnet pools and address scopes can fail. Clients read the class names."""

from __future__ import annotations

from cumulet.core.errors import Conflict, NotFound


class SubnetPoolNotFound(NotFound):
    pass


class SubnetPoolInUse(Conflict):
    pass


class SubnetAllocationError(Conflict):
    pass


class AddressScopeNotFound(NotFound):
    pass


class AddressScopeInUse(Conflict):
    pass
