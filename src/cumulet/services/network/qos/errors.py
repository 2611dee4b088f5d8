"""How policies of quality of service can fail. Clients read the class names."""

from __future__ import annotations

from cumulet.core.errors import Conflict, NotFound, NotOffered


class QosPolicyNotFound(NotFound):
    pass


class QosPolicyInUse(Conflict):
    pass


class QosRuleNotFound(NotFound):
    pass


class RuleHeld(NotOffered):
    """What is promised to a port that is bound is not changed under it."""
