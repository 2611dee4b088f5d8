"""How security groups, their rules and their logs can fail. Clients read the class names."""

from __future__ import annotations

from cumulet.core.errors import BadRequest, Conflict, NotFound


class SecurityGroupNotFound(NotFound):
    pass


class SecurityGroupRuleNotFound(NotFound):
    pass


class SecurityGroupInUse(Conflict):
    pass


class SecurityGroupConflict(Conflict):
    pass


class SecurityGroupRuleExists(Conflict):
    pass


class SecurityGroupCannotRemoveDefault(Conflict):
    pass


class SecurityGroupCannotUpdateDefault(Conflict):
    pass


class SecurityGroupInvalidPortRange(BadRequest):
    pass


class DefaultSecurityGroupRuleNotFound(NotFound):
    pass


class DefaultStatefulnessNotFound(NotFound):
    pass


class LogResourceNotFound(NotFound):
    pass


class ResourceNotFound(NotFound):
    """The group that a log is to be about."""


class TargetResourceNotFound(NotFound):
    """The port that a log is to be about."""


class InvalidLogResourceType(BadRequest):
    pass


class InvalidResourceConstraint(BadRequest):
    pass
