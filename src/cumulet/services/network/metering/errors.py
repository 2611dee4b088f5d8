"""How metering labels and their rules can fail. Clients read the class names."""

from __future__ import annotations

from cumulet.core.errors import Conflict, NotFound


class MeteringLabelNotFound(NotFound):
    pass


class MeteringLabelRuleNotFound(NotFound):
    pass


class MeteringLabelRuleOverlaps(Conflict):
    pass
