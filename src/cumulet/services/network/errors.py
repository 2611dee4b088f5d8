"""How the network service can fail, whatever is asked of it; each noun adds its own. The class names are part of the
contract: clients read them."""

from __future__ import annotations

from cumulet.core.errors import BadRequest, Conflict, Forbidden, NotFound, PreconditionFailed


class HTTPBadRequest(BadRequest):
    """A body or query that cannot be understood."""


class InvalidInput(BadRequest):
    pass


class NotAuthorized(Forbidden):
    pass


class HTTPNotFound(NotFound):
    pass


class ResourceInUse(Conflict):
    """Named with the class that the real service shows for the noun."""


class RevisionNumberConstraintFailed(PreconditionFailed):
    pass
