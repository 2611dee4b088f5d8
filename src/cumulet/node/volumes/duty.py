"""Wanted: the volumes assigned to this node. Found: what its backends hold."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from cumulet.contracts.assignments import Fault, Kind
from cumulet.contracts.record import digest_of
from cumulet.contracts.volumes import VolumeFacts, VolumeSpec
from cumulet.core.reconcile import Again, Done, Outcome
from cumulet.drivers.volume.base import StorageSilent
from cumulet.lib.sparse import BrokenOff, NotSparse
from cumulet.node.control_plane import ControlPlaneSilent
from cumulet.node.orders import Orders
from cumulet.node.outbox import Outbox
from cumulet.node.volumes.backends import Backends

RETRY_SECONDS = 5.0


class VolumeDuty:
    """Looks after each assigned volume."""

    topic = str(Kind.VOLUME)
    also = ()

    def __init__(self, orders: Orders, outbox: Outbox, backends: Backends) -> None:
        self._orders = orders
        self._outbox = outbox
        self._backends = backends
        self._fulfilled: dict[str, VolumeFacts] = {}
        """What was found when the newest order was carried out."""

    async def step(self, key: str) -> Outcome:
        order = self._orders.get(Kind.VOLUME, key)
        if order is None:
            return Done()
        spec = msgspec.json.decode(order.spec, type=VolumeSpec)
        if order.gone:
            await destroy(self._backends, spec)
            self._fulfilled.pop(key, None)
            self._outbox.tell_gone(order)
            return Done()
        digest = digest_of(spec)
        met = self._fulfilled.get(key)
        if met is not None and met.digest == digest:
            # A newer order with the same text, such as after a wish that was taken back: it is met, too.
            self._outbox.tell(order, met)
            return Done()
        try:
            facts = await carry_out(self._backends, spec)
        except (ControlPlaneSilent, BrokenOff, NotSparse) as error:
            return Again(RETRY_SECONDS, f"what it is made of, or opened with, did not arrive: {error}")
        except StorageSilent as error:
            return Again(RETRY_SECONDS, f"what it lies on does not answer: {error}")
        self._outbox.tell(order, facts)
        if facts.digest == digest:
            self._fulfilled[key] = facts
            return Done()
        return Again(RETRY_SECONDS, facts.fault.message if facts.fault else "not as ordered yet")

    async def unsettled(self, after: str, limit: int) -> Sequence[str]:
        return [key for key in self._orders.keys(Kind.VOLUME, after, limit) if key not in self._fulfilled]

    async def every(self, after: str, limit: int) -> Sequence[str]:
        return self._orders.keys(Kind.VOLUME, after, limit)


async def carry_out(backends: Backends, spec: VolumeSpec) -> VolumeFacts:
    """Bring a volume where and as it should be on this node."""
    backend = backends.get(spec.backend)
    if spec.elsewhere:
        if backend is not None:
            await backend.let_go(spec.id)
        return VolumeFacts(id=spec.id, size_gib=0, digest=digest_of(spec))
    if backend is None:
        known = ", ".join(sorted(backends))
        fault = Fault(message=f"This node has no backend {spec.backend!r}; it has {known}.", code=404)
        return VolumeFacts(id=spec.id, size_gib=0, digest=digest_of(spec), fault=fault)
    if spec.beside is not None:
        return await _carry_out_both(backends, spec, spec.beside)
    facts = await backend.ensure(spec)
    if spec.leaves in backends and facts.fault is None:
        await backends[spec.leaves].remove(spec.id)
    return facts


async def _carry_out_both(backends: Backends, spec: VolumeSpec, beside: VolumeSpec) -> VolumeFacts:
    here = await carry_out(backends, msgspec.structs.replace(spec, beside=None))
    there = await carry_out(backends, beside)
    digest = digest_of(spec) if here.digest and there.digest else ""
    return msgspec.structs.replace(here, digest=digest, beside=there)


async def destroy(backends: Backends, spec: VolumeSpec) -> None:
    """Let nothing of a volume be left on this node."""
    beside = spec.beside.backend if spec.beside is not None else ""
    for name in (spec.backend, spec.leaves, spec.arrives_from, beside):
        if name in backends:
            await backends[name].remove(spec.id)
