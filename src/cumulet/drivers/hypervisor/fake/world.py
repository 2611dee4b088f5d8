"""The world of pretended machines. Nothing in it works in the background: what follows from the passing of time is
worked out when somebody looks, so that ten thousand machines cost almost nothing.
"""

from __future__ import annotations

import asyncio
import heapq
import random
from collections import deque
from dataclasses import dataclass, field

from cumulet.contracts.machines import MachineSpec, Power, VolumeConnection
from cumulet.contracts.moves import MoveFacts
from cumulet.drivers.hypervisor.base import MachineFailed
from cumulet.lib.clock import SECOND, Clock

GIB = 1 << 30
_LINES_KEPT = 64
ON = (Power.RUNNING, Power.PAUSED)


@dataclass(slots=True)
class FakeMachine:
    """One machine, as it is."""

    spec: MachineSpec
    """The newest order, with volumes that went elsewhere where they are now."""
    running: MachineSpec
    """What it was started as, with the devices plugged since."""
    power: Power = Power.STOPPED
    ordered: str = ""
    """Digest of the newest order as it came."""
    digest: str = ""
    hard_reboots: int = 0
    soft_reboots: int = 0
    rebuilds: int = 0
    interrupts: int = 0
    rescue: str = ""
    started_at: int = 0
    written: float = 0
    """Bytes on its root disk at `written_at`."""
    written_at: int = 0
    content: str = ""
    """A word that stands for all bytes of its own disks."""
    arrived: str = ""
    """The move that brought its disks here, or its memory too."""
    relays: dict[str, VolumeConnection] = field(default_factory=dict)
    """The ways to its volumes that are reached over the network, while it is on."""
    went: dict[str, tuple[VolumeConnection, VolumeConnection]] = field(default_factory=dict)
    """Disks whose volumes are elsewhere than its order says: from where, and where."""
    unfit: dict[str, str] = field(default_factory=dict)
    """Disks whose volumes cannot go where they should, and why."""
    move: MoveFacts | None = None
    """The live move that it is on."""
    passwords: dict[str, str] = field(default_factory=dict)
    """Those that were given to users of its guest."""
    lines: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=_LINES_KEPT))
    """What its console says, and from when."""

    def count(self) -> None:
        """All verbs that were counted are met."""
        self.hard_reboots = max(self.hard_reboots, self.spec.hard_reboots)
        self.soft_reboots = max(self.soft_reboots, self.spec.soft_reboots)
        self.interrupts = max(self.interrupts, self.spec.interrupts)


class FakeMachines:
    """The machines of one pretended node."""

    def __init__(
        self,
        clock: Clock,
        *,
        seed: int = 0,
        boot_seconds: float = 0.0,
        obey_seconds: float = 0.0,
        mean_life_seconds: float = 0.0,
        deaf_share: float = 0.0,
        disk_gib: int = 0,
        writes_mib_per_hour: int = 0,
    ) -> None:
        """A machine lives `mean_life_seconds` on average (0: for ever).

        `deaf_share` of the guests do not shut down when they are asked; the others take `obey_seconds`. The node has
        room for `disk_gib` (0: any amount) of what running guests write on their root disks.
        """
        self.clock = clock
        self.machines: dict[str, FakeMachine] = {}
        self.changes: dict[str, None] = {}
        """Ids of machines that changed by themselves, until somebody was told."""
        self.boot_seconds = boot_seconds
        self.obey_seconds = obey_seconds
        self.disk_bytes = disk_gib * GIB
        self.sticks = False
        """Machines that are to leave while they run do not come to an end with it."""
        self.holds_up = False
        """Volumes that are to be elsewhere do not come to an end with it."""
        self.holds = False
        """Guests let go of no device while they run."""
        self._random = random.Random(seed)  # noqa: S311 - chance, not secrets
        self._mean_life_seconds = mean_life_seconds
        self._deaf_share = deaf_share
        self._bytes_per_microsecond = writes_mib_per_hour * (1 << 20) / (3600 * SECOND)
        self._deaths: list[tuple[int, str, int]] = []
        self._waiting: set[asyncio.Event] = set()

    def start(self, machine: FakeMachine, power: Power) -> None:
        """Turn it on; what it says and when it dies is settled here."""
        now = self.clock.now()
        machine.running = machine.spec
        machine.power = power
        machine.started_at = machine.written_at = now
        disk = "rescue disk" if machine.spec.rescue else "disk"
        machine.lines.append((now, f"Booting from {disk}..."))
        machine.lines.append((now, f"Memory: {machine.spec.memory_mib} MiB, processors: {machine.spec.vcpus}"))
        machine.lines += [(now, f"net{place}: {nic.mac}") for place, nic in enumerate(machine.spec.nics)]
        machine.lines.append((now, "Welcome to a simulated machine."))
        machine.lines.append((now + round(self.boot_seconds * SECOND), f"{machine.spec.guest.hostname} login:"))
        if self._mean_life_seconds:
            life = self._random.expovariate(1 / self._mean_life_seconds)
            heapq.heappush(self._deaths, (now + round(life * SECOND), machine.spec.id, now))

    def obeys(self) -> bool:
        return self._random.random() >= self._deaf_share

    def crash(self, machine_id: str) -> None:
        """Its process dies."""
        machine = self.machines[machine_id]
        if machine.power in ON:
            self.write(machine)
            machine.power = Power.CRASHED
            self.note(machine_id)

    def power_off(self, machine_id: str) -> None:
        """The guest turns itself off."""
        machine = self.machines[machine_id]
        if machine.power in ON:
            self.write(machine)
            machine.power = Power.STOPPED
            machine.lines.append((self.clock.now(), "Power down"))
            self.note(machine_id)

    def reboot_host(self) -> None:
        """Every process is gone, and no order was given."""
        for machine in self.machines.values():
            if machine.power in ON:
                self.write(machine)
                machine.power = Power.STOPPED

    def pass_time(self) -> None:
        """Work out what has happened since somebody last looked."""
        now = self.clock.now()
        while self._deaths and self._deaths[0][0] <= now:
            _, machine_id, started_at = heapq.heappop(self._deaths)
            machine = self.machines.get(machine_id)
            if machine is not None and machine.started_at == started_at:
                self.crash(machine_id)

    def seconds_to_next_death(self) -> float | None:
        return max(0, self._deaths[0][0] - self.clock.now()) / SECOND if self._deaths else None

    def write(self, machine: FakeMachine) -> float:
        """The bytes on its root disk by now."""
        now = self.clock.now()
        if machine.power is Power.RUNNING:
            size = next((disk.size_gib for disk in machine.running.disks), 0) * GIB
            more = (now - machine.written_at) * self._bytes_per_microsecond
            machine.written = min(size, machine.written + more)
        machine.written_at = now
        return machine.written

    def is_full(self) -> bool:
        """Whether the guests together have written all there is room for."""
        return bool(self.disk_bytes) and sum(map(self.write, self.machines.values())) >= self.disk_bytes

    async def change(self) -> None:
        """Wait until something may have changed."""
        event = asyncio.Event()
        self._waiting.add(event)
        waits: list[asyncio.Future[object]] = [asyncio.ensure_future(event.wait())]
        seconds = self.seconds_to_next_death()
        if seconds is not None:
            waits.append(asyncio.ensure_future(self.clock.sleep(seconds)))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting.discard(event)
            for wait in waits:
                wait.cancel()

    def existing(self, machine_id: str) -> FakeMachine:
        """As it is by now. Raises `MachineFailed` when there is none."""
        self.pass_time()
        machine = self.machines.get(machine_id)
        if machine is None:
            raise MachineFailed("There is no such machine on this node.")
        return machine

    def note(self, machine_id: str) -> None:
        """It changed by itself."""
        self.changes[machine_id] = None
        for event in self._waiting:
            event.set()
