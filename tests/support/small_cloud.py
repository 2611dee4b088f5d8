"""A cloud of one process for compute's stories: real rooms, a fleet in memory, nodes of the simulated world.

Nothing happens by itself: `settle` lets reconcilers and nodes work until nobody has anything left to do.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

from cryptography.fernet import Fernet

from cumulet.contracts.machines import Power
from cumulet.core.access.quota import Allowance
from cumulet.core.access.rules import Rules
from cumulet.core.bus import MemoryBus
from cumulet.core.db import Database
from cumulet.core.reconcile import Again, Reconciler
from cumulet.core.web.service import FrontDoor
from cumulet.drivers.image_store.memory import MemoryImageStore, Shelf
from cumulet.services.block_storage import policies as volume_policies
from cumulet.services.block_storage.public import VolumeDoor
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.block_storage.service import reconcilers as volume_reconcilers
from cumulet.services.block_storage.service import service as volume_service
from cumulet.services.compute import policies, seed
from cumulet.services.compute.room import Compute
from cumulet.services.compute.service import reconcilers, service
from cumulet.services.image import policies as image_policies
from cumulet.services.image.public import ImageDoor
from cumulet.services.image.room import Image
from cumulet.services.image.service import service as image_service
from cumulet.services.network import policies as network_policies
from cumulet.services.network.public import NetworkDoor
from cumulet.services.network.room import Network
from cumulet.services.network.service import reconcilers as network_reconcilers
from cumulet.services.network.service import service as network_service
from cumulet.services.placement.public import PlacementDoor
from cumulet.services.placement.room import Placement
from tests.support.client import Client
from tests.support.clock import JumpingClock
from tests.support.personas import ALT, DEMO, authenticate
from tests.support.small_nodes import Nodes

MOST_ROUNDS = 200


CIDRS = iter(range(1, 250))


class Projects:
    """Identity, as far as compute asks it."""

    def __init__(self) -> None:
        self.limits: dict[str, int] = {}
        """The unified limits of each project."""

    async def project_exists(self, project_id: str) -> bool:
        return project_id in (DEMO, ALT)

    async def allowance(self, service_type: str, project_id: str) -> Allowance:
        return Allowance(self.limits)


class SmallCloud:
    """Rooms, nodes and clients."""

    def __init__(self, database: Database, bus: MemoryBus, names: tuple[str, ...] = ("one", "two")) -> None:
        self.bus, self.clock = bus, JumpingClock()
        ground: dict[str, Any] = {"database": database, "bus": bus, "clock": self.clock}
        self.nodes = Nodes(self.clock, bus, names)
        fleet: Any = self.nodes
        self.projects = Projects()
        projects: Any = self.projects
        self.image_room = Image(
            rules=Rules(image_policies.DEFAULTS),
            stores={"memory": MemoryImageStore(Shelf())},
            staging=MemoryImageStore(Shelf()),
            **ground,
        )
        placement = PlacementDoor(Placement(rules=Rules({}), **ground))
        self.placement = placement
        self.network_room = Network(rules=Rules(network_policies.DEFAULTS), fleet=fleet, placement=placement, **ground)
        images = ImageDoor(self.image_room)
        self.backups = Shelf()
        self.volume_room = BlockStorage(
            rules=Rules(volume_policies.DEFAULTS),
            fleet=fleet,
            image=images,
            backup_store=MemoryImageStore(self.backups),
            seal=Fernet(Fernet.generate_key()),
            **ground,
        )
        volumes: Any = VolumeDoor(self.volume_room)
        self.nodes.supplies.volumes = volumes
        self.room = Compute(
            rules=Rules(policies.DEFAULTS),
            images=images,
            networks=NetworkDoor(self.network_room),
            volumes=volumes,
            placement=placement,
            fleet=fleet,
            identity=projects,
            **ground,
        )
        self.compute = Client(FrontDoor(service(), self.room, authenticate))
        self.image = Client(FrontDoor(image_service(), self.image_room, authenticate))
        self.network = Client(FrontDoor(network_service(), self.network_room, authenticate))
        self.volume = Client(FrontDoor(volume_service(), self.volume_room, authenticate), prefix=f"/v3/{DEMO}")
        self.reconcilers: list[Reconciler] = [
            *network_reconcilers(self.network_room),
            *volume_reconcilers(self.volume_room),
            *reconcilers(self.room),
        ]
        self.woken: list[tuple[Reconciler, str]] = []
        for reconciler in self.reconcilers:
            for topic in (reconciler.topic, *reconciler.also):
                bus.listen(topic, lambda key, reconciler=reconciler: self._wake(reconciler, key))  # type: ignore[misc]

    def _wake(self, reconciler: Reconciler, key: str) -> None:
        if (reconciler, key) not in self.woken:
            self.woken.append((reconciler, key))

    async def settle(self) -> None:
        """Until nobody has anything to do. Waiting costs no time; a wait for a dead node ends with the round."""
        idle = 0
        for _ in range(MOST_ROUNDS):
            later: list[tuple[Reconciler, str]] = []
            while self.woken:
                reconciler, key = self.woken.pop(0)
                outcome = await reconciler.step(key)
                if isinstance(outcome, Again):
                    (later if outcome.after else self.woken).append((reconciler, key))
            obeyed = await self.nodes.obey()
            idle = 0 if obeyed or self.woken else idle + 1
            if idle > 2 or (not later and not obeyed and not self.woken):
                return
            for reconciler, key in later:
                self._wake(reconciler, key)
            await asyncio.sleep(0)
        raise AssertionError(f"the cloud does not come to rest: {self.woken}")

    async def start(self) -> None:
        """Nodes are known, flavors are there."""
        for node in await self.nodes.nodes():
            self.bus.wake("node", node.name)
        await seed.seed(self.room)
        await self.settle()

    async def make_image(self, name: str = "tiny", size: int = 64, **more: Any) -> str:
        """An active image; its id."""
        body = {"name": name, "disk_format": "raw", "container_format": "bare", **more}
        made = await self.image.post("/images", body)
        content = hashlib.sha512(name.encode()).digest()[:size]
        await self.image(
            "PUT", f"/images/{made['id']}/file", content=content,
            headers={"content-type": "application/octet-stream"},
        )  # fmt: skip
        return str(made["id"])

    async def make_network(self, name: str = "private", persona: str = "member") -> str:
        """A network with a subnet; its id."""
        client = self.network.as_(persona)
        network = (await client.post("/networks", {"network": {"name": name}}))["network"]
        cidr = f"10.{next(CIDRS)}.0.0/24"
        await client.post("/subnets", {"subnet": {"network_id": network["id"], "ip_version": 4, "cidr": cidr}})
        return str(network["id"])

    async def make_volume(self, size: int = 1) -> str:
        """A volume that is available; its id."""
        made = await self.volume.post("/volumes", {"volume": {"size": size}}, 202)
        await self.settle()
        return str(made["volume"]["id"])

    async def make_server(self, persona: str = "member", **more: Any) -> dict[str, Any]:
        """A settled server of the smallest size; its page."""
        wish = {"name": "s", "flavorRef": "42", "imageRef": more.pop("image", ""), **more}
        if not wish["imageRef"]:
            wish["imageRef"] = await self.make_image()
        client = self.compute.as_(persona)
        made = (await client.post("/servers", {"server": wish}, 202))["server"]
        await self.settle()
        page: dict[str, Any] = (await client.get(f"/servers/{made['id']}"))["server"]
        return page

    async def page(self, server_id: str, persona: str = "admin", version: str = "") -> dict[str, Any]:
        client = self.compute.as_(persona).at(version) if version else self.compute.as_(persona)
        shown: dict[str, Any] = (await client.get(f"/servers/{server_id}"))["server"]
        return shown

    async def do(self, server_id: str, action: str, body: Any = None, status: int = 202, **options: Any) -> Any:
        """An action, and what follows of it."""
        client = self.compute.as_(options.get("persona", "member"))
        if options.get("version"):
            client = client.at(options["version"])
        answer = await client.post(f"/servers/{server_id}/action", {action: body}, status)
        await self.settle()
        return answer

    def machine(self, server_id: str) -> tuple[str, Power] | None:
        """The node that has a server's machine, and its state."""
        for node, world in self.nodes.worlds.items():
            if server_id in world.machines:
                return node, world.machines[server_id].power
        return None
