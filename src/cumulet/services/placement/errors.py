"""How placement can fail."""

from __future__ import annotations

from cumulet.core.errors import BadRequest, Conflict, NotFound


class ProviderNotFound(NotFound):
    def __init__(self, id_: str) -> None:
        super().__init__(f"No resource provider with uuid {id_[:64]} found")


class ProviderExists(Conflict):
    def __init__(self, message: str) -> None:
        super().__init__(message, type_name="placement.duplicate_name")


class ProviderInUse(Conflict):
    """Somebody holds something of it."""

    def __init__(self, message: str) -> None:
        super().__init__(message, type_name="placement.resource_provider.inuse")


class ProviderHasChildren(Conflict):
    def __init__(self, message: str) -> None:
        super().__init__(message, type_name="placement.resource_provider.cannot_delete_parent")


class InvalidProvider(BadRequest):
    """A provider cannot have this parent."""


class ConcurrentUpdate(Conflict):
    """The generation that was named is not the current one: look again, then decide again."""

    def __init__(self, message: str) -> None:
        super().__init__(message, type_name="placement.concurrent_update")


class InventoryInUse(Conflict):
    def __init__(self, message: str) -> None:
        super().__init__(message, type_name="placement.inventory.inuse")


class InventoryExists(Conflict):
    pass


class InventoryNotFound(NotFound):
    pass


class InvalidInventory(BadRequest):
    pass


class DoesNotFit(Conflict):
    """An inventory cannot hold what was asked of it."""


class UnknownProvider(BadRequest):
    """A body names a provider that does not exist."""

    def __init__(self, message: str) -> None:
        super().__init__(message, type_name="placement.resource_provider.not_found")


class UnknownClass(BadRequest):
    pass


class UnknownTrait(BadRequest):
    pass


class ClassNotFound(NotFound):
    pass


class ClassExists(Conflict):
    pass


class ClassInUse(Conflict):
    pass


class TraitNotFound(NotFound):
    pass


class TraitInUse(Conflict):
    pass


class StandardName(BadRequest):
    """The name belongs to every cloud: nobody makes, renames or deletes it."""


class BadQuery(BadRequest):
    """A query parameter cannot be understood."""

    def __init__(self, message: str) -> None:
        super().__init__(message, type_name="placement.query.bad_value")


class MissingQuery(BadRequest):
    def __init__(self, message: str) -> None:
        super().__init__(message, type_name="placement.query.missing_value")
