"""Limits on what goes to a guest: a token bucket on its tap. What comes from it is limited by the filter. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

_LATENCY = "100ms"


class Bucket(NamedTuple):
    """How much may pass."""

    kbps: int
    burst: int
    """Bytes at once."""

    def is_like(self, other: Bucket | None) -> bool:
        """The kernel counts in ticks of its clock, and says another burst than it was told."""
        return other is not None and self.kbps == other.kbps and abs(self.burst - other.burst) <= self.burst // 64


def parse_queues(shown: bytes) -> dict[str, Bucket]:
    """Interface → what may pass, from `tc -j qdisc show`."""
    found = {}
    for queue in msgspec.json.decode(shown.strip() or b"[]", type=list[dict[str, Any]]):
        if queue.get("kind") == "tbf" and queue.get("root") and queue.get("dev", "").startswith("tap"):
            options = queue["options"]
            found[queue["dev"]] = Bucket(int(options["rate"]) // 125, int(options["burst"]))
    return found


def queue_lines(have: Mapping[str, Bucket], want: Mapping[str, Bucket]) -> list[str]:
    """Lines for `tc -batch`."""
    lines = [f"qdisc del dev {device} root" for device in have if device not in want]
    for device, bucket in want.items():
        if not bucket.is_like(have.get(device)):
            rate = f"rate {bucket.kbps}kbit burst {bucket.burst} latency {_LATENCY}"
            lines.append(f"qdisc replace dev {device} root tbf {rate}")
    return lines
