"""Limits on what goes to a guest: a token bucket on its tap. What comes from it is limited by the filter. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from cumulet.drivers.network.linux.filter import burst_bytes

_LATENCY = "100ms"


def parse_queues(shown: bytes) -> dict[str, int]:
    """Interface → kbit/s, from `tc -j qdisc show`."""
    found = {}
    for queue in msgspec.json.decode(shown.strip() or b"[]", type=list[dict[str, Any]]):
        if queue.get("kind") == "tbf" and queue.get("root") and queue.get("dev", "").startswith("tap"):
            found[queue["dev"]] = int(queue["options"]["rate"]) // 125
    return found


def queue_lines(have: Mapping[str, int], want: Mapping[str, int]) -> list[str]:
    """Lines for `tc -batch`."""
    lines = [f"qdisc del dev {device} root" for device in have if device not in want]
    for device, kbps in want.items():
        if have.get(device) != kbps:
            burst = burst_bytes(kbps)
            lines.append(f"qdisc replace dev {device} root tbf rate {kbps}kbit burst {burst} latency {_LATENCY}")
    return lines
