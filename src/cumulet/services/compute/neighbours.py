"""What compute asks of the rooms before it: the doors it calls, and what comes back through them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Literal, Protocol

import msgspec

from cumulet.contracts.assignments import Kind, NodeFacts
from cumulet.contracts.machines import ImageRef, VolumeConnection
from cumulet.contracts.record import Record
from cumulet.core.access.caller import Caller
from cumulet.core.access.quota import Allowance
from cumulet.services.network.public import NicRequest

__all__ = ["NicRequest"]


class Api(Protocol):
    """A neighbour's whole API, asked in a caller's name."""

    async def ask(
        self,
        caller: Caller,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Sequence[tuple[str, str]] = (),
        content_type: str = "application/json",
    ) -> Any: ...


class ImageLike(Protocol):
    """An image as its owner and those it is shared with see it."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def disk_format(self) -> str: ...
    @property
    def container_format(self) -> str: ...
    @property
    def min_disk(self) -> int: ...
    @property
    def min_ram(self) -> int: ...
    @property
    def properties(self) -> dict[str, str]: ...


class Images(Protocol):
    """The image room's door."""

    @property
    def api(self) -> Api: ...

    async def get(self, caller: Caller, image_id: str) -> ImageLike: ...

    async def ref(self, image_id: str) -> ImageRef | None: ...

    async def create_for_snapshot(
        self,
        caller: Caller,
        image_id: str,
        name: str,
        properties: Mapping[str, str],
        *,
        disk_format: str = "qcow2",
        min_disk: int = 0,
        min_ram: int = 0,
    ) -> ImageLike: ...

    async def upload(self, image_id: str, chunks: AsyncIterator[bytes]) -> None: ...

    async def abandon(self, image_id: str) -> None: ...

    async def delete(self, image_id: str) -> None: ...

    async def with_property(self, owner: str, name: str, value: str) -> Sequence[ImageLike]: ...


class HostRoomLike(Protocol):
    """What a node can hold, and how much of that is spoken for."""

    @property
    def node(self) -> str: ...
    @property
    def total(self) -> dict[str, int]: ...
    @property
    def used(self) -> dict[str, int]: ...
    @property
    def reserved(self) -> dict[str, int]: ...
    @property
    def ratio(self) -> dict[str, float]: ...
    @property
    def traits(self) -> set[str]: ...


class Inventory(msgspec.Struct):
    """How much of one resource a node offers."""

    total: int
    reserved: int = 0
    min_unit: int = 1
    max_unit: int = 2**31 - 1
    step_size: int = 1
    allocation_ratio: float = 1.0


class Placement(Protocol):
    """The placement room's door."""

    async def hosts(self) -> Sequence[HostRoomLike]: ...

    async def ensure_provider(self, node: str, inventory: dict[str, Inventory]) -> str: ...

    async def claim(
        self, consumer_id: str, node: str, resources: dict[str, int], *, project_id: str, user_id: str
    ) -> bool: ...

    async def release(self, consumer_id: str, node: str = "") -> None: ...

    async def claims(self, consumer_id: str) -> dict[str, dict[str, int]]: ...


class AddressLike(Protocol):
    """A fixed address with what the guest needs to use it."""

    @property
    def ip(self) -> str: ...
    @property
    def version(self) -> int: ...
    @property
    def subnet_id(self) -> str: ...
    @property
    def cidr(self) -> str: ...
    @property
    def gateway(self) -> str: ...
    @property
    def dns(self) -> Sequence[str]: ...
    @property
    def routes(self) -> Sequence[tuple[str, str]]: ...
    @property
    def dhcp(self) -> bool: ...


class NicLike(Protocol):
    """A port of a server."""

    @property
    def port_id(self) -> str: ...
    @property
    def network_id(self) -> str: ...
    @property
    def network_name(self) -> str: ...
    @property
    def mac(self) -> str: ...
    @property
    def addresses(self) -> Sequence[AddressLike]: ...
    @property
    def floating(self) -> Sequence[tuple[str, str]]: ...
    @property
    def host(self) -> str: ...
    @property
    def up(self) -> bool: ...
    @property
    def moving_to(self) -> str: ...
    @property
    def ready(self) -> bool: ...
    @property
    def status(self) -> str: ...
    @property
    def groups(self) -> Sequence[str]: ...
    @property
    def mtu(self) -> int: ...
    @property
    def preserve(self) -> bool: ...
    @property
    def tag(self) -> str: ...


class Networks(Protocol):
    """The network room's door."""

    @property
    def api(self) -> Api: ...

    async def check(
        self, caller: Caller, requests: Sequence[NicRequest] | Literal["auto", "none"], groups: Sequence[str]
    ) -> Sequence[NicRequest]: ...

    async def plug(
        self,
        device_id: str,
        device_owner: str,
        project_id: str,
        request: NicRequest,
        *,
        key: str,
        groups: Sequence[str],
        hostname: str,
        zone: str,
    ) -> NicLike: ...

    async def bind(self, port_id: str, host: str) -> None: ...

    async def unbind(self, port_id: str, host: str) -> None: ...

    async def make_ready(self, port_id: str, host: str) -> None: ...

    async def unplug(self, device_id: str, port_id: str) -> None: ...

    async def set_groups(self, port_id: str, groups: Sequence[str]) -> None: ...

    async def nics(self, device_id: str) -> Sequence[NicLike]: ...


class VolumeLike(Protocol):
    """A volume as compute needs to know it."""

    @property
    def id(self) -> str: ...
    @property
    def status(self) -> str: ...
    @property
    def size(self) -> int: ...
    @property
    def bootable(self) -> bool: ...
    @property
    def multiattach(self) -> bool: ...
    @property
    def image_metadata(self) -> dict[str, str]: ...
    @property
    def node(self) -> str:
        """Where its bytes are, if only there."""
        ...


class SnapshotLike(Protocol):
    """A snapshot of a volume, as compute needs to know it."""

    @property
    def size(self) -> int: ...
    @property
    def bootable(self) -> bool: ...
    @property
    def image_metadata(self) -> dict[str, str]: ...


class Volumes(Protocol):
    """The block storage room's door."""

    @property
    def api(self) -> Api: ...

    async def get(self, caller: Caller, volume_id: str) -> VolumeLike: ...

    async def snapshot(self, caller: Caller, snapshot_id: str) -> SnapshotLike: ...

    async def reserve(self, volume_id: str, server_id: str, attachment_id: str, *, mode: str = "rw") -> None: ...

    async def sizes(self, volume_ids: Sequence[str]) -> Mapping[str, int]: ...

    async def promised(self, server_id: str) -> Mapping[str, int]: ...

    async def connect(self, attachment_id: str, host: str, device: str) -> VolumeConnection | None: ...

    async def connected(self, attachment_id: str) -> None: ...

    async def disconnect(self, attachment_id: str) -> None: ...

    async def keep(self, attachment_id: str) -> None: ...

    async def release(self, attachment_id: str) -> None: ...

    async def moved(self, attachment_id: str, host: str) -> None: ...

    async def create(
        self,
        project_id: str,
        user_id: str,
        volume_id: str,
        size: int,
        *,
        image_id: str = "",
        snapshot_id: str = "",
        source_volume_id: str = "",
        type: str = "",
        zone: str = "",
        name: str = "",
    ) -> VolumeLike: ...

    async def delete(self, volume_id: str) -> None: ...


class NodeLike(Protocol):
    """A node as the fleet knows it."""

    @property
    def name(self) -> str: ...
    @property
    def alive(self) -> bool: ...
    @property
    def disabled(self) -> bool: ...
    @property
    def zone(self) -> str: ...
    @property
    def facts(self) -> NodeFacts: ...
    @property
    def last_seen(self) -> int: ...
    @property
    def disabled_reason(self) -> str: ...
    @property
    def forced_down(self) -> bool: ...


class HeldLike(Protocol):
    """What a node was told to hold, and what it last said about it."""

    @property
    def node(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def generation(self) -> int: ...
    @property
    def gone(self) -> bool: ...
    @property
    def observed(self) -> int: ...
    @property
    def acknowledged_gone(self) -> bool: ...
    @property
    def facts(self) -> bytes: ...


class Fleet(Protocol):
    """The fleet room's door."""

    async def nodes(self) -> Sequence[NodeLike]: ...

    async def set_disabled(self, name: str, disabled: bool, reason: str = "") -> None: ...

    async def set_forced_down(self, name: str, forced_down: bool) -> None: ...

    async def node(self, name: str) -> NodeLike | None: ...

    async def assign(self, node: str, kind: Kind, key: str, spec: Record, generation: int) -> None: ...

    async def withdraw(self, node: str, kind: Kind, key: str) -> None: ...

    async def held(self, kind: Kind, key: str) -> Sequence[HeldLike]: ...

    async def ask(self, node: str, what: str, **parameters: str) -> bytes: ...

    async def seal(self, node: str, what: str, valid_until: int, **parameters: str) -> str: ...

    def stream(self, node: str, what: str, **parameters: str) -> AsyncIterator[bytes]:
        """A long answer, piece by piece."""
        ...


class Identity(Protocol):
    """The identity room's door."""

    async def project_exists(self, project_id: str) -> bool: ...

    async def allowance(self, service_type: str, project_id: str) -> Allowance: ...
