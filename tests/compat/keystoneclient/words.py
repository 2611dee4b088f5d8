"""Short words of the stories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from keystoneauth1.exceptions import http as refusals

PASSWORD = "correct horse"


def name() -> str:
    return f"k-{uuid4().hex[:12]}"


def role(admin: Any, called: str) -> Any:
    return admin.roles.find(name=called)


def own(enter: Callable[..., Any], user: Any) -> Any:
    return enter(username=user.name, password=PASSWORD, project_id=user.default_project_id)


def gone(get: Callable[..., Any], *what: Any, **where: Any) -> None:
    with pytest.raises(refusals.NotFound):
        get(*what, **where)
