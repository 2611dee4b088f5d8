"""How work on real volumes fails, whatever they lie on: in words for their owner, and for whoever asked for a copy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from cumulet.contracts.assignments import Fault
from cumulet.contracts.volumes import COPY_FORMATS
from cumulet.drivers.hypervisor.base import ImageUnusable, MachineFailed
from cumulet.drivers.volume.base import CopyFailed
from cumulet.lib.qcow2 import NotQcow2
from cumulet.lib.qemu_img import DiskBusy, DiskFull, NotReadable
from cumulet.lib.storage_daemon import DaemonFailed

GIB = 1 << 30


class Impossible(Exception):
    """The volume cannot be as ordered; the message is for its owner."""

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)
        self.code = code


class NotThere(FileNotFoundError):
    """What is read, or what a volume is made of, is gone."""


def must_fit(needed: int, size: int, what: str) -> None:
    """Raise Impossible where so many bytes do not fit into a volume of this size."""
    if needed > size:
        raise Impossible(f"{size // GIB} GiB are too few: the {what} needs {-(-needed // GIB)} GiB.", 400)


FAILURES = (
    Impossible,
    ImageUnusable,
    DiskFull,
    DiskBusy,
    MachineFailed,
    DaemonFailed,
    NotReadable,
    NotQcow2,
    NotThere,
)
"""All that can come of carrying out an order, so that another order may help."""


def fault_of(error: Exception) -> Fault:
    """What one of FAILURES means. Pure."""
    match error:
        case Impossible():
            return Fault(message=str(error), code=error.code)
        case ImageUnusable():
            return Fault(message=str(error), code=400)
        case DiskFull():
            return Fault(message="The backend of this volume has no room left.", code=507, details=str(error))
        case DiskBusy():
            return Fault(message="This volume or its source is in use.", code=409, details=str(error))
        case MachineFailed() | DaemonFailed():
            return Fault(message=str(error), code=500, details=error.details)
        case NotThere():
            message = "What this volume is made of is not there any more."
            return Fault(message=message, code=404, details=str(error))
        case _:
            return Fault(message="This volume's data or its source's is damaged.", code=500, details=str(error))


# ---- copies ----------------------------------------------------------------------------------------------------------


def may_be_copied(volume_id: str, disk_format: str, *, encrypted: bool) -> None:
    """Raise CopyFailed for what nobody gets a copy of."""
    if encrypted:
        raise CopyFailed(f"volume {volume_id} is encrypted; its content leaves this node by its machine only")
    if disk_format not in COPY_FORMATS:
        raise CopyFailed(f"{disk_format[:64]!r} is none of {', '.join(COPY_FORMATS)}")


@contextlib.contextmanager
def copying(volume_id: str) -> Iterator[None]:
    """Say all that goes wrong as CopyFailed."""
    try:
        yield
    except DiskFull as error:
        raise CopyFailed("there is no room for a copy here") from error
    except DiskBusy as error:
        raise CopyFailed(f"volume {volume_id} is in use") from error
    except MachineFailed as error:
        raise CopyFailed(str(error)) from error
    except (DaemonFailed, NotReadable, NotQcow2, FileNotFoundError) as error:
        raise CopyFailed(f"the data of volume {volume_id} cannot be read") from error
