"""Volumes of the simulation."""

from __future__ import annotations

from cumulet.drivers.volume.fake.driver import FAKE_STORAGE, FakeVolumes
from cumulet.drivers.volume.fake.world import FakeVolume, VolumeWorld

__all__ = ["FAKE_STORAGE", "FakeVolume", "FakeVolumes", "VolumeWorld"]
