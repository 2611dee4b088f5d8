"""What every hypervisor driver can do."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

from cumulet.contracts.machines import ImageRef, MachineFacts, MachineSpec, VolumeConnection
from cumulet.contracts.moves import Departure, Luggage
from cumulet.lib.joined import Ends
from cumulet.lib.sparse import Parcel


class ImageUnusable(Exception):
    """An image is not what it claims to be, or cannot be opened safely; the message may be shown to its owner."""


class Unfit(Exception):
    """The order asks for something that this kind of machine cannot have; only another order can help. The message is
    for its owner."""


class MachineFailed(Exception):
    """Something could not be done to a machine. The message is for its owner, the details are for the operator."""

    def __init__(self, message: str, details: str = "") -> None:
        super().__init__(message)
        self.details = details


class GuestHolds(MachineFailed):
    """The guest has not let go of a device. It may be booting, or use it; asked again later, it may."""


class ImageFiles(Protocol):
    """Where a driver finds the bytes of an image on this node."""

    async def path(self, image: ImageRef) -> str:
        """Fetch and verify the image if it is not here yet; the path of the file.

        Whatever the image's format, the file is a qcow2 file that refers to no other; it is only ever read. Raises
        `ImageUnusable`.
        """
        ...


class VolumeFiles(Protocol):
    """Where a driver finds a volume that is a file on this node, or on a share that this node has mounted."""

    def path(self, connection: VolumeConnection) -> str:
        """The path of the volume: a qcow2 file that refers to no other. Raises `Unfit`."""
        ...

    async def opening(self, connection: VolumeConnection) -> Opening:
        """How a volume of a cluster is opened, as this node's settings say. Raises `MachineFailed`."""
        ...


_LUKS = "luks"


@dataclass(frozen=True)
class Opening:
    """How a program of QEMU opens a volume that is no file."""

    words: Mapping[str, object]
    """What `blockdev-add` is told, but for the name of the node."""
    secrets: Mapping[str, bytes] = field(default_factory=dict)
    """What the words speak of, by their ids; it is told to the program alone, and stands in no list of arguments."""

    def decrypted(self, key: str) -> Opening:
        """The same for what lies in it, which is encrypted."""
        words = {"driver": "luks", "key-secret": _LUKS, "file": dict(self.words)}
        return Opening(words, {**self.secrets, _LUKS: key.encode()})

    def objects(self) -> list[dict[str, object]]:
        """What `object-add` is told before."""
        return [
            {"qom-type": "secret", "id": id, "data": base64.b64encode(data).decode(), "format": "base64"}
            for id, data in self.secrets.items()
        ]


class OutOfReach(Exception):
    """The node that has a machine's disks does not answer, or does not give them; asking again may help."""


class Belongings(Protocol):
    """Where a driver finds what a machine that arrives here has on its old node. Both raise `OutOfReach`."""

    async def luggage(self, machine_id: str) -> Luggage: ...

    def file(self, machine_id: str, name: str, offset: int) -> AsyncIterator[bytes]:
        """One of its files from a place on, as `lib.sparse` sends it; it may break off."""
        ...


OpenWay = Callable[[Departure, str], Awaitable[Ends]]
"""A connection to where a machine goes, for its `memory` or its `disks`. Raises `OutOfReach`."""


class Hypervisor(Protocol):
    """Machines of one node. Every method may be called again after a crash at any point, and then finishes the work."""

    name: str
    accelerator: str
    version: int

    async def ensure(self, spec: MachineSpec) -> MachineFacts:
        """Make the machine as wished: disks, power, counters, hot-plugged disks and cards.

        Facts say how far it got. Their digest is that of the spec when all of it is so; what is then still to come with
        the next start are a new number of processors, size of memory and the like. A fault with the code 400 can be
        helped only by another order; with any other code it may help to call again.

        While a live move is ordered, the order is never met: `move` in the facts says how far it is. A machine that has
        arrived runs with the next order for it here, one that has left stays where an order without departure says so;
        of the two nodes only one is ever given such an order.
        """
        ...

    async def remove(self, machine_id: str) -> None:
        """Destroy the machine and its own disks (never volumes). Removing what is not there is no error."""
        ...

    async def found(self) -> Sequence[MachineFacts]:
        """All machines that exist here, known or not."""
        ...

    async def console_log(self, machine_id: str, limit: int) -> bytes:
        """The newest `limit` bytes of the serial console."""
        ...

    async def changed(self) -> str:
        """Wait until some machine changes by itself (dies, shuts down); its id."""
        ...


class OffersConsole(Protocol):
    """A hypervisor whose machines have a screen and an interactive serial line, each a unix socket."""

    def vnc_socket(self, machine_id: str) -> str: ...

    def serial_socket(self, machine_id: str) -> str: ...


class OffersSnapshot(Protocol):
    """A hypervisor that can copy a disk while the machine runs."""

    async def snapshot(self, machine_id: str, disk_id: str, disk_format: str, destination: str) -> int:
        """Write a copy of the disk, as it is at one moment, to the file `destination`; its size in bytes.

        Raises `Unfit` and `MachineFailed`.
        """
        ...


class OffersDiagnostics(Protocol):
    """A hypervisor that can say how its machines fare."""

    async def diagnostics(self, machine_id: str) -> dict[str, object]:
        """The fields of the compute API's diagnostics (microversion 2.48)."""
        ...


class OffersPasswords(Protocol):
    """A hypervisor that reaches agents in its guests."""

    async def set_password(self, machine_id: str, user: str, password: str) -> None:
        """The guest's agent gives this user of the guest this password. Raises `MachineFailed`."""
        ...


class OffersLuggage(Protocol):
    """A hypervisor that lets the disks of a machine go to another node."""

    async def luggage(self, machine_id: str) -> Luggage:
        """All that a machine stands on. Raises `MachineFailed`."""
        ...

    def luggage_file(self, machine_id: str, name: str, offset: int) -> AbstractAsyncContextManager[Parcel]:
        """One of these files, open, from a place on. Raises `MachineFailed`, also when the machine writes to it."""
        ...


class OffersWays(Protocol):
    """A hypervisor whose machines can arrive while they run: over two sockets, for memory and for disks."""

    def memory_socket(self, machine_id: str) -> str: ...

    def disks_socket(self, machine_id: str) -> str: ...
