"""Identity: faults under `error`, lists with links to themselves."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from cumulet.core.errors import CloudError
from cumulet.core.web.dialects.base import Dialect, with_marker
from cumulet.core.web.request import Request


class IdentityDialect(Dialect):
    """`{"error": {"code": 404, "title": "Not Found", "message": …}}`."""

    _TITLES = {
        400: "Bad Request",
        401: "Unauthorized",
        403: "Forbidden",
        404: "Not Found",
        405: "Method Not Allowed",
        409: "Conflict",
        413: "Request Entity Too Large",
        415: "Unsupported Media Type",
        501: "Not Implemented",
        503: "Service Unavailable",
    }

    def fault(self, status: int, error: CloudError, request: Request) -> Any:
        title = self._TITLES.get(status, error.title)
        return {"error": {"code": status, "title": title, "message": error.message}}

    def page(
        self, many: str, shown: list[Any], *, url: str, query: list[tuple[str, str]], marker: str
    ) -> dict[str, Any]:
        here = f"{url}?{urlencode(query)}" if query else url
        next_page = with_marker(url, query, marker) if marker else None
        return {many: shown, "links": {"next": next_page, "self": here, "previous": None}}
