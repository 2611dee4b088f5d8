"""How flavors and service profiles can fail. Clients read the class names."""

from __future__ import annotations

from cumulet.core.errors import Conflict, NotFound, Unavailable


class FlavorNotFound(NotFound):
    pass


class FlavorInUse(Conflict):
    pass


class FlavorDisabled(Unavailable):
    pass


class ServiceProfileNotFound(NotFound):
    pass


class ServiceProfileInUse(Conflict):
    pass


class ServiceProfileDisabled(Unavailable):
    pass


class ServiceProfileDriverNotFound(NotFound):
    pass


class FlavorServiceProfileBindingExists(Conflict):
    pass


class FlavorServiceProfileBindingNotFound(NotFound):
    pass
