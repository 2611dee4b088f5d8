"""How identity can fail, in its own words."""

from __future__ import annotations

from cumulet.core.errors import BadRequest, Conflict, Forbidden, NotFound, Unauthorized, Unavailable


class AuthenticationFailed(Unauthorized):
    """Deliberately the same for every reason: whoever guesses learns nothing."""


class AccountUnusable(Unauthorized):
    """The password was right, but the account may not be used; its owner deserves to know why."""


class TokenNotFound(NotFound):
    pass


class InvalidScope(BadRequest):
    pass


class InvalidValue(BadRequest):
    pass


class NameTaken(Conflict):
    pass


class StillNeeded(Conflict):
    """Something else depends on it."""


class Immutable(Forbidden):
    """Marked as not to be changed or deleted."""


class NotAllowed(Forbidden):
    pass


class Missing(NotFound):
    """A noun that another one refers to, or that a path names, is not there."""


class PasswordRefused(BadRequest):
    """A new password breaks the operator's rules."""


class DirectoryUnavailable(Unavailable):
    """The directory that keeps a domain's users does not answer, or not as it should."""


class KeptElsewhere(Forbidden):
    """A domain's users and groups are in a directory that is only read here."""
