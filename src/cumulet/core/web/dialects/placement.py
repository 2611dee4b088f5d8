"""Placement: faults as a list of errors with codes."""

from __future__ import annotations

from typing import Any

from cumulet.core.errors import CloudError
from cumulet.core.web.dialects.base import Dialect


class PlacementDialect(Dialect):
    """`{"errors": [{"status": 404, "title": …, "detail": …, "code": "placement.undefined_code"}]}`."""

    def fault(self, status: int, error: CloudError) -> Any:
        code = error.type_name if "." in error.type_name else "placement.undefined_code"
        return {"errors": [{"status": status, "title": error.title, "detail": error.message, "code": code}]}
