"""Wake-ups: they carry a topic and a key, never data. A lost one costs time, never truth."""

from cumulet.core.bus.memory import Bus, MemoryBus

__all__ = ["Bus", "MemoryBus"]
