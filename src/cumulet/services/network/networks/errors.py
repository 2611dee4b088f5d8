"""How networks, their segments, and ranges of segment numbers can fail. Clients read the class names."""

from __future__ import annotations

from cumulet.core.errors import BadRequest, Conflict, NotFound, Unavailable


class NetworkNotFound(NotFound):
    pass


class NetworkInUse(Conflict):
    pass


class NetworkAmbiguous(Conflict):
    """Several networks could be meant."""


class NoNetworkAvailable(Unavailable):
    pass


class SegmentNotFound(NotFound):
    pass


class SegmentInUse(Conflict):
    """The segmentation id that was asked for belongs to another network."""


class SegmentsSetInConjunctionWithProviders(BadRequest):
    pass


class NetworkSegmentRangeNotFound(NotFound):
    pass


class NetworkSegmentRangeNetTypeNotSupported(BadRequest):
    pass


class NetworkSegmentRangeDefaultReadOnly(BadRequest):
    pass


class NetworkSegmentRangeOverlaps(Conflict):
    pass


class NetworkSegmentRangeReferencedByProject(Conflict):
    pass
