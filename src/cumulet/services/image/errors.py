"""How the image service can fail, in its own words."""

from __future__ import annotations

from cumulet.core.errors import (
    BadRequest,
    Conflict,
    Forbidden,
    Gone,
    NotFound,
    RangeNotSatisfiable,
    TooLarge,
    Unavailable,
    UnsupportedMediaType,
)


class ImageNotFound(NotFound):
    pass


class ImageExists(Conflict):
    """The id that the client chose is taken."""


class ImageProtected(Forbidden):
    pass


class InvalidImage(BadRequest):
    """A field of an image cannot have this value."""


class ReadOnly(Forbidden):
    """The attribute is set by the service alone."""


class WrongStatus(Conflict):
    """The image's status does not allow this now."""


class PropertyConflict(Conflict):
    """A patch names a property that is there already, or not there."""


class DataRefused(UnsupportedMediaType):
    """The uploaded bytes are not what they are declared to be, or not safe to open."""


class SizeMismatch(BadRequest):
    """Fewer or more bytes came than were announced."""


class DataTooLarge(TooLarge):
    pass


class LimitExceeded(TooLarge):
    """An image would have more properties, tags or members than it may."""


class UploadOvertaken(Gone):
    """The image went away, or another upload took its place, while the bytes were arriving."""


class ImageDeactivated(Forbidden):
    pass


class BadRange(RangeNotSatisfiable):
    pass


class StoreNotFound(NotFound):
    pass


class UnknownStore(BadRequest):
    """A request names a store that there is not."""


class StoreUnavailable(Unavailable):
    """A store cannot take or give bytes at the moment."""


class StoreHoldsLast(Forbidden):
    """The store holds the only copy of the data."""


class MemberNotFound(NotFound):
    pass


class MemberExists(Conflict):
    pass


class NotShared(Forbidden):
    """Only images whose visibility is `shared` have members."""


class TagNotFound(NotFound):
    pass


class TaskNotFound(NotFound):
    pass


class InvalidImport(BadRequest):
    """The import that was asked for makes no sense, or is not offered."""


class DownloadFailed(BadRequest):
    """A web server did not give the image it should."""


class ImportFailed(Conflict):
    """An import cannot go on, for a reason that its task tells."""


class InvalidDefinition(BadRequest):
    """A metadata definition is malformed."""


class NamespaceNotFound(NotFound):
    pass


class DefinitionNotFound(NotFound):
    """A namespace has no object, property, tag or association of this name."""


class DefinitionExists(Conflict):
    """A namespace, or something in one, has this name already."""


class NamespaceProtected(Forbidden):
    pass
