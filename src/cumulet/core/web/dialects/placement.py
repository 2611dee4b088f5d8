"""Placement: faults as a list of errors with codes."""

from __future__ import annotations

from typing import Any

from cumulet.core.errors import CloudError, NotAcceptable
from cumulet.core.web.dialects.base import Dialect
from cumulet.core.web.request import Request
from cumulet.core.web.versions import text_of, version

CODES_SINCE = version("1.23")


class PlacementDialect(Dialect):
    """`{"errors": [{"status": 404, "title": …, "detail": …, "code": "placement.undefined_code", "request_id": …}]}`."""

    def fault(self, status: int, error: CloudError, request: Request) -> Any:
        shown: dict[str, Any] = {
            "status": status,
            "title": error.title,
            "detail": error.message,
            "request_id": request.request_id,
        }
        if isinstance(error, NotAcceptable):
            shown["min_version"], shown["max_version"] = text_of(self.earliest), text_of(self.latest)
        if self._tells_codes(request):
            shown["code"] = error.type_name if "." in error.type_name else "placement.undefined_code"
        return {"errors": [shown]}

    def _tells_codes(self, request: Request) -> bool:
        try:
            return self.version_of(request) >= CODES_SINCE
        except CloudError:
            return True  # the version is what was wrong: the newest form serves whoever asks
