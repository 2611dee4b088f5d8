"""What a server's size counts for in its project's quota."""

from __future__ import annotations

import msgspec

from cumulet.services.compute.flavors import Flavor
from cumulet.services.compute.moves.row import MoveRow
from cumulet.services.compute.servers.look import resources_of
from cumulet.services.compute.servers.row import ServerRow


def counted(flavor: Flavor, *, root_is_volume: bool) -> dict[str, int]:
    """Cores, memory in MiB, and the GiB that its own disks may grow to."""
    held = resources_of(flavor, root_is_volume=root_is_volume)
    return {"cores": flavor.vcpus, "ram": flavor.ram, "disk": held.get("DISK_GB", 0)}


def growth(old: Flavor, new: Flavor, *, root_is_volume: bool) -> dict[str, int]:
    """By how much the new size exceeds the old one, in each."""
    before, after = counted(old, root_is_volume=root_is_volume), counted(new, root_is_volume=root_is_volume)
    return {name: max(0, after[name] - before[name]) for name in after}


def held(server: ServerRow, move: MoveRow | None) -> dict[str, int]:
    """What a server counts for now: while a move is open, the larger of both sizes."""
    texts = [move.old_flavor, move.new_flavor] if move is not None else [server.flavor]
    flavors = [msgspec.json.decode(text, type=Flavor) for text in texts]
    sizes = [counted(flavor, root_is_volume=not server.image_ref) for flavor in flavors]
    return {name: max(size[name] for size in sizes) for name in sizes[0]}
