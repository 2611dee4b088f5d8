"""Backends of volumes, as the nodes that have them tell of them."""

from __future__ import annotations

from cumulet.contracts.record import Record

LOCAL = "local"
"""The backend of a node whose settings name none."""


class Storage(Record, frozen=True, kw_only=True):
    """What a driver says of what its volumes lie on."""

    driver: str
    """`files`, `nfs`, `rbd`, `iscsi`, or `fake`."""
    protocol: str = "file"
    """As clients are shown it."""
    cluster: str = ""
    """Set: it is shared. Nodes that say the same word of a backend of one name reach the same volumes."""
    opened: str = "file"
    """By which protocol a machine opens a volume when its node has the backend; of one that is not shared: when the
    volume lies on its node. Empty: never by itself."""
    many: bool = False
    """Several machines may have a volume open in this way at once."""
    offered: str = "nbd"
    """By which protocol a volume is served to machines of any node; empty: it is not."""
    content: str = ""
    """Backends that say the same word here hand volumes on whole: with their snapshots, and encrypted. Others, and
    those that say none, copy what a volume holds."""
    lacks: tuple[str, ...] = ()
    """Which of TALENTS its volumes have not."""
    total_gib: int = 0
    free_gib: int = 0
    fault: str = ""
    """Why it cannot be used now; empty: it can."""


TALENTS = ("encryption", "multiattach", "revert", "snapshots in use", "extending in use")
"""What volumes of a backend can unless it lacks it."""


class Terms(Record, frozen=True, kw_only=True):
    """What an operator set about a backend, whatever its driver."""

    pool: str = ""
    """The name that volume types choose it by; empty: that of the backend."""
    reserved_percentage: int = 0
    """How much of it is never given out."""
    max_over_subscription_ratio: float = 1.0
    """How many times its room may be promised."""
    filter_function: str = ""
    goodness_function: str = ""
    capabilities: dict[str, str] = {}
    """What volume types may ask for besides."""


class BackendFacts(Record, frozen=True, kw_only=True):
    """One backend of one node."""

    name: str
    storage: Storage
    terms: Terms = Terms()

    @property
    def pool(self) -> str:
        return self.terms.pool or self.name
