"""How placement can fail."""

from __future__ import annotations

from cumulet.core.errors import BadRequest, Conflict, NotFound


class ProviderNotFound(NotFound):
    pass


class ProviderInUse(Conflict):
    pass


class ProviderExists(Conflict):
    pass


class ConcurrentUpdate(Conflict):
    """The generation that was named is not the current one: look again, then decide again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, type_name="placement.concurrent_update")


class InventoryInUse(Conflict):
    def __init__(self, message: str) -> None:
        super().__init__(message, type_name="placement.inventory.inuse")


class DoesNotFit(Conflict):
    """An inventory cannot hold what was asked of it."""


class UnknownClass(BadRequest):
    pass


class UnknownTrait(BadRequest):
    pass
