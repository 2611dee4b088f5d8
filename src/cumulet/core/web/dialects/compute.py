"""Compute (and its older cousins): faults under a word for the status."""

from __future__ import annotations

from typing import Any

from cumulet.core.errors import CloudError
from cumulet.core.web.dialects.base import Dialect
from cumulet.core.web.request import Request

_WORDS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    406: "notAcceptable",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}


class ComputeDialect(Dialect):
    """`{"itemNotFound": {"code": 404, "message": …}}`."""

    last_slash_counts = True

    def fault(self, status: int, error: CloudError, request: Request) -> Any:
        return {_WORDS.get(status, "computeFault"): {"code": status, "message": error.message}}


class BlockStorageDialect(ComputeDialect):
    """As compute, but a full quota is 413."""

    quota_status = 413
    last_slash_counts = False
