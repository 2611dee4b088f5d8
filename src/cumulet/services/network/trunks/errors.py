"""How trunks can fail. Clients read the class names."""

from __future__ import annotations

from cumulet.core.errors import Conflict, NotFound
from cumulet.services.network.ports.errors import PortInUse


class TrunkNotFound(NotFound):
    pass


class SubPortNotFound(NotFound):
    pass


class ParentPortInUse(PortInUse):
    pass


class DuplicateSubPort(Conflict):
    pass


class SubPortMtuGreaterThanTrunkPortMtu(Conflict):
    pass


class TrunkDisabled(Conflict):
    pass
