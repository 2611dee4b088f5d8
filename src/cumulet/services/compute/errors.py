"""How compute can fail, in its own words."""

from __future__ import annotations

from cumulet.core.errors import BadRequest, Conflict, NotFound


class KeyPairNotFound(NotFound):
    pass


class KeyPairExists(Conflict):
    pass


class InvalidKeyPair(BadRequest):
    pass
