"""How anything in the cloud can fail, in words that its caller can act on.

A room subclasses these with its own sentences; the front door turns them into its service's fault format. The class
name is part of the contract for services that show it (network).
"""

from __future__ import annotations


class CloudError(Exception):
    """The base of every expected failure. `message` names the cause and, where there is one, the remedy."""

    status: int = 500
    title: str = "Internal Server Error"

    def __init__(self, message: str = "", *, type_name: str = "", headers: dict[str, str] | None = None) -> None:
        super().__init__(message or self.title)
        self.message = message or self.title
        self.type_name = type_name or type(self).__name__
        self.headers = headers or {}


class BadRequest(CloudError):
    status = 400
    title = "Bad Request"


class Unauthorized(CloudError):
    status = 401
    title = "The request you have made requires authentication."


class Forbidden(CloudError):
    status = 403
    title = "Forbidden"


class NotFound(CloudError):
    status = 404
    title = "The resource could not be found."


class MethodNotAllowed(CloudError):
    status = 405
    title = "Method Not Allowed"


class NotAcceptable(CloudError):
    status = 406
    title = "Not Acceptable"


class Conflict(CloudError):
    status = 409
    title = "Conflict"


class Gone(CloudError):
    status = 410
    title = "Gone"


class PreconditionFailed(CloudError):
    status = 412
    title = "Precondition Failed"


class TooLarge(CloudError):
    status = 413
    title = "Request Entity Too Large"


class UnsupportedMediaType(CloudError):
    status = 415
    title = "Unsupported Media Type"


class RangeNotSatisfiable(CloudError):
    status = 416
    title = "Requested Range Not Satisfiable"


class Unprocessable(CloudError):
    status = 422
    title = "Unprocessable Entity"


class NotOffered(CloudError):
    status = 501
    title = "Not Implemented"


class Unavailable(CloudError):
    status = 503
    title = "Service Unavailable"


class OverQuota(CloudError):
    """A project would hold more than it may. Each dialect has its own status for this."""

    status = 403
    title = "Quota exceeded"

    def __init__(self, message: str, resources: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.resources = resources
