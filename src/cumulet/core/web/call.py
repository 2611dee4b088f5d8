"""One authenticated request on its way through a room."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cumulet.core.access.caller import Caller
from cumulet.core.access.rules import Rules
from cumulet.core.errors import Forbidden
from cumulet.core.web.request import Request

if TYPE_CHECKING:
    from cumulet.core.web.dialects.base import Dialect


class Call:
    """Who asks, at which version, for what. Given to every handler."""

    def __init__(
        self, request: Request, caller: Caller, version: int, rules: Rules, base: str, dialect: Dialect
    ) -> None:
        self.request = request
        self.caller = caller
        self.version = version
        self.rules = rules
        self.base = base
        """The service's URL as the client called it, without a slash at its end."""
        self.dialect = dialect
        self.path: dict[str, str] = {}
        self.wish: dict[str, Any] = {}
        self.parent: Any = None
        """The row that a nested resource belongs to."""
        self.beside: dict[str, Any] = {}
        """What a view shows of rows beside what they hold, by their ids."""
        self.response_headers: dict[str, str] = {}

    @property
    def own(self) -> dict[str, object]:
        """The target of a rule where there is no row yet: the caller's own project."""
        caller = self.caller
        return {"project_id": caller.project_id, "tenant_id": caller.project_id, "user_id": caller.user_id}

    def may(self, rule: str, target: Mapping[str, object] | None = None) -> bool:
        return self.rules.allows(rule, self.own if target is None else target, self.caller.credentials)

    def allow(self, rule: str, target: Mapping[str, object] | None = None) -> None:
        """Raise Forbidden unless the rule allows the caller this."""
        if not self.may(rule, target):
            raise Forbidden(f"Policy doesn't allow {rule} to be performed.", type_name="PolicyNotAuthorized")
