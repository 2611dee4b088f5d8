"""What a dialect decides, with the most common answers."""

from __future__ import annotations

from typing import Any, ClassVar
from urllib.parse import urlencode

from cumulet.core.errors import BadRequest, CloudError, NotAcceptable, OverQuota
from cumulet.core.web.request import Request
from cumulet.core.web.versions import text_of, version


class Dialect:
    """The manners of one service on the wire."""

    quota_status: ClassVar[int] = 403
    last_slash_counts: ClassVar[bool] = False
    """A path that ends with a slash is that of a thing without a name, not that of a list."""

    def __init__(self, *, service: str = "", header: str = "", earliest: str = "", latest: str = "") -> None:
        self.service = service
        """The word before the number in `OpenStack-API-Version`."""
        self.header = header
        """An older header with the bare number, where the service has one."""
        self.earliest = version(earliest) if earliest else 0
        self.latest = version(latest) if latest else 0

    # ---- microversions ------------------------------------------------------------

    def version_of(self, request: Request) -> int:
        """The microversion of a request. Raises BadRequest or NotAcceptable."""
        if not self.service:
            return 0
        asked = self._asked(request)
        if not asked:
            return self.earliest
        if asked == "latest":
            return self.latest
        try:
            found = version(asked)
        except ValueError as error:
            raise BadRequest(
                f"API Version String {asked[:40]} is of invalid format. Must be of format MajorNum.MinorNum.",
                type_name="InvalidAPIVersionString",
            ) from error
        if not self.earliest <= found <= self.latest:
            raise NotAcceptable(
                f"Version {asked} is not supported by the API. Minimum is {text_of(self.earliest)} and maximum is "
                f"{text_of(self.latest)}.",
                type_name="InvalidGlobalAPIVersion",
            )
        return found

    def _asked(self, request: Request) -> str:
        for part in request.headers.get("openstack-api-version", "").split(","):
            word, _, number = part.strip().partition(" ")
            if word.lower() == self.service and number:
                return number.strip()
        return request.headers.get(self.header.lower(), "").strip() if self.header else ""

    def version_headers(self, number: int) -> dict[str, str]:
        """The headers that tell a client which version answered."""
        if not self.service or not number:
            return {}
        headers = {"OpenStack-API-Version": f"{self.service} {text_of(number)}", "Vary": "OpenStack-API-Version"}
        if self.header:
            headers[self.header] = text_of(number)
            headers["Vary"] = f"OpenStack-API-Version, {self.header}"
        return headers

    # ---- faults ------------------------------------------------------------

    def status_of(self, error: CloudError) -> int:
        return self.quota_status if isinstance(error, OverQuota) else error.status

    def fault(self, status: int, error: CloudError, request: Request) -> Any:
        """The body of a refusal."""
        return {"error": {"code": status, "title": error.title, "message": error.message}}

    # ---- lists ------------------------------------------------------------

    def page(
        self, many: str, shown: list[Any], *, url: str, query: list[tuple[str, str]], marker: str
    ) -> dict[str, Any]:
        """A list's body. `marker` is empty on the last page."""
        body: dict[str, Any] = {many: shown}
        if marker:
            body[f"{many}_links"] = [{"rel": "next", "href": with_marker(url, query, marker)}]
        return body


def with_marker(url: str, query: list[tuple[str, str]], marker: str) -> str:
    """The address of the page behind `marker`, or of the first one."""
    kept = [(name, value) for name, value in query if name != "marker"]
    return f"{url}?{urlencode([*kept, ('marker', marker)] if marker else kept)}"
