"""What a node is told to hold, and what it reports back."""

from __future__ import annotations

import enum

import msgspec

from cumulet.contracts.backends import BackendFacts
from cumulet.contracts.record import Record


class Kind(enum.StrEnum):
    """The duties of a node, one for each kind of thing it can be ordered to hold."""

    MACHINE = "machine"
    NETWORK = "network"
    PORT = "port"
    GROUP = "group"
    ROUTER = "router"
    VOLUME = "volume"


class Assignment(Record, frozen=True, kw_only=True):
    """One order to one node: hold `key` as `spec` says, or, if `gone`, destroy it and say so."""

    kind: Kind
    key: str
    number: int
    """Place in the node's stream of orders; rises with every change."""
    generation: int
    """Which version of the wish this text is; reports name it."""
    gone: bool = False
    spec: msgspec.Raw = msgspec.Raw(b"{}")


class Notices(Record, frozen=True, kw_only=True):
    """What all nodes that hold a network or a group are told about it: for a network, where its ports are; for a group,
    the addresses of its members. Nobody reports anything of these.
    """

    kind: Kind
    about: str
    whole: bool = False
    """This is all: what is not said here is not so."""
    said: dict[str, msgspec.Raw]
    unsaid: list[str] = []
    """Keys of what is not so any more."""


class Assignments(Record, frozen=True, kw_only=True):
    """An answer to `GET …/assignments?since=N&noticed=M&wait=S`: changes in order, or everything when `complete`."""

    epoch: str
    """Changes when the database was restored: the node then reports all it has before it obeys."""
    number: int
    complete: bool
    changes: tuple[Assignment, ...]
    noticed: int = 0
    """How far the notices have come."""
    notices: tuple[Notices, ...] = ()


class Report(Record, frozen=True, kw_only=True):
    """One observation by a node of one thing it was assigned."""

    kind: Kind
    key: str
    generation: int
    """The generation of the spec that was in force when this was observed."""
    sequence: int
    """Rises with every observation by this node; an older one never replaces a newer one."""
    number: int = 0
    """Of the order that was carried out; 0: the node is too old to say."""
    gone: bool = False
    facts: msgspec.Raw = msgspec.Raw(b"{}")


class Reports(Record, frozen=True, kw_only=True):
    """A batch of observations."""

    reports: tuple[Report, ...]


class Wire(Record, frozen=True, kw_only=True):
    """What leads out of a node, and how much of it may be promised to machines."""

    physical_network: str
    """Its name; `rp_tunnelled` for all that networks between nodes share."""
    egress_kbps: int = 0
    ingress_kbps: int = 0


class NodeFacts(Record, frozen=True, kw_only=True):
    """What a node says of itself when it joins and with each heartbeat."""

    name: str
    hypervisor: str
    """`qemu` or `fake`."""
    accelerator: str
    """`kvm`, `tcg` or `fake`."""
    hypervisor_version: int
    """As libvirt counts: 7.2.19 is 7002019."""
    vcpus: int
    memory_mib: int
    disk_gib: int
    tunnel_address: str
    address: str
    """Where asks are served: `unix:/path` or `host:port`."""
    cpu_model: str = ""
    architecture: str = "x86_64"
    orphans: tuple[str, ...] = ()
    """`kind:key` of things found here that nobody assigned."""
    zone: str = ""
    version: str = ""
    physical_networks: tuple[str, ...] = ()
    """The provider's wires that it is joined to; none: it makes their networks by itself."""
    backends: tuple[BackendFacts, ...] = ()
    """Where volumes can lie."""
    wires: tuple[Wire, ...] = ()
    kpps: int = 0
    """Thousands of packets a second that its networking handles, both directions together; 0: no promises."""
    egress_kpps: int = 0
    ingress_kpps: int = 0


NOT_YET = 503
"""The code of a fault that is none so far: the node goes on trying by itself."""


class Fault(Record, frozen=True, kw_only=True):
    """Why something could not be done, in words for its owner: the cause and the remedy."""

    message: str
    code: int = 500
    details: str = ""
    """For administrators only."""
