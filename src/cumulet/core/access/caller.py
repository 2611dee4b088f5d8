"""Whoever makes a request, as his token says."""

from __future__ import annotations

from functools import cached_property
from typing import Any


class Caller:
    """An authenticated user in one scope. Immutable by agreement: it is cached by token and shared between requests."""

    def __init__(
        self,
        *,
        user_id: str,
        user_name: str = "",
        user_domain_id: str = "default",
        project_id: str = "",
        project_name: str = "",
        project_domain_id: str = "",
        domain_id: str = "",
        system: bool = False,
        roles: tuple[str, ...] = (),
        token_id: str = "",
        expires_at: int = 0,
        audit_id: str = "",
        facts: dict[str, Any] | None = None,
        service_roles: tuple[str, ...] = (),
    ) -> None:
        self.user_id = user_id
        self.user_name = user_name
        self.user_domain_id = user_domain_id
        self.project_id = project_id
        self.project_name = project_name
        self.project_domain_id = project_domain_id
        self.domain_id = domain_id
        self.system = system
        self.roles = roles
        self.token_id = token_id
        self.expires_at = expires_at
        self.audit_id = audit_id
        self.service_roles = service_roles
        self.facts = facts or {}
        """What identity alone knows more of: methods, trust, application credential, access rules."""

    @property
    def is_admin(self) -> bool:
        """Has the role that the default rules give every power."""
        return "admin" in self.roles

    @cached_property
    def credentials(self) -> dict[str, object]:
        """What a rule may ask about, under the names of the rule language."""
        return {
            "user_id": self.user_id,
            "user_domain_id": self.user_domain_id,
            "project_id": self.project_id or None,
            "tenant_id": self.project_id or None,
            "project_domain_id": self.project_domain_id or None,
            "domain_id": self.domain_id or None,
            "system_scope": "all" if self.system else None,
            "roles": list(self.roles),
            "is_admin": False,
            "is_admin_project": True,
            "service_roles": list(self.service_roles),
            "service_user_id": None,
            "service_user_domain_id": None,
            "service_project_id": None,
            "service_project_domain_id": None,
            **self.facts,
        }
