"""Image: faults as a small page of HTML, lists with relative links."""

from __future__ import annotations

import html
from typing import Any
from urllib.parse import urlencode

from cumulet.core.errors import CloudError
from cumulet.core.web.dialects.base import Dialect, with_marker
from cumulet.core.web.request import Request


class ImageDialect(Dialect):
    """The real service answers faults in HTML; clients read the status and search the text for the reason."""

    quota_status = 413

    def fault(self, status: int, error: CloudError, request: Request) -> Any:
        title = f"{status} {error.title if error.status == status else ''}".strip()
        message = html.escape(error.message)
        return (
            f"<html>\n <head>\n  <title>{title}</title>\n </head>\n <body>\n  <h1>{title}</h1>\n"
            f"  {message}<br /><br />\n </body>\n</html>"
        ).encode()

    def page(
        self, many: str, shown: list[Any], *, url: str, query: list[tuple[str, str]], marker: str
    ) -> dict[str, Any]:
        path = "/v2" + url.partition("/v2")[2]
        kept = [(name, value) for name, value in query if name != "marker"]
        first = f"{path}?{urlencode(kept)}" if kept else path
        body: dict[str, Any] = {many: shown, "first": first, "schema": f"/v2/schemas/{many}"}
        if marker:
            body["next"] = with_marker(path, query, marker)
        return body
