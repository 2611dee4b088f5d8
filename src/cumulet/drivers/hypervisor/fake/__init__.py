"""A small world of pretended machines: they start, say something, obey, fill their disks and die.

It is what the simulation mode runs on, and what tests run on. `FakeMachines` is the world and outlives every
`FakeHypervisor`, as real machines outlive the process that made them.
"""

from cumulet.drivers.hypervisor.fake.driver import FakeHypervisor
from cumulet.drivers.hypervisor.fake.world import FakeMachine, FakeMachines

__all__ = ["FakeHypervisor", "FakeMachine", "FakeMachines"]
