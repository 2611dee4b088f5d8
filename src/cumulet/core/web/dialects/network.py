"""Network: faults carry the name of the error's class."""

from __future__ import annotations

from typing import Any

from cumulet.core.errors import CloudError
from cumulet.core.web.dialects.base import Dialect, with_marker
from cumulet.core.web.request import Request


class NetworkDialect(Dialect):
    """`{"NeutronError": {"type": "PortNotFound", "message": …, "detail": ""}}`; a full quota is 409."""

    quota_status = 409

    def fault(self, status: int, error: CloudError, request: Request) -> Any:
        return {"NeutronError": {"type": error.type_name, "message": error.message, "detail": ""}}

    def page(
        self, many: str, shown: list[Any], *, url: str, query: list[tuple[str, str]], marker: str
    ) -> dict[str, Any]:
        body: dict[str, Any] = {many: shown}
        if any(name == "limit" for name, _ in query):
            links = []
            if marker:
                links.append({"rel": "next", "href": with_marker(url, query, marker)})
            body[f"{many}_links"] = links
        return body
