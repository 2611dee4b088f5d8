"""Every room, with its surroundings and its neighbours' doors: the one place where the services meet."""

from __future__ import annotations

import dataclasses
import logging
import socket
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypedDict

import msgspec

from cumulet.core.access.policy_file import PolicyFileError, PolicyFiles
from cumulet.core.access.quota import Quota
from cumulet.core.access.rules import Rules
from cumulet.core.bus import Bus
from cumulet.core.db import Database
from cumulet.core.reconcile import Loop, Shards
from cumulet.core.reconcile.loop import SWEEP_SECONDS
from cumulet.core.web.origin import Origin
from cumulet.core.web.service import Authenticate, FrontDoor, Service
from cumulet.drivers.image_store.base import ImageStore
from cumulet.drivers.image_store.files import FileImageStore
from cumulet.drivers.image_store.web import Outside
from cumulet.lib.clock import Clock
from cumulet.programs import image_stores
from cumulet.programs.consoles.door import ConsoleDoor
from cumulet.programs.health import Healthcheck, Metrics
from cumulet.programs.secrets import admin_password, node_secret, volume_seal
from cumulet.programs.settings import Settings, SettingsError
from cumulet.services.block_storage import policies as block_storage_policies
from cumulet.services.block_storage import service as block_storage_service
from cumulet.services.block_storage.placing.weighers import FACTORS
from cumulet.services.block_storage.public import VolumeDoor
from cumulet.services.block_storage.room import BlockStorage
from cumulet.services.compute import policies as compute_policies
from cumulet.services.compute import seed as compute_seed
from cumulet.services.compute import service as compute_service
from cumulet.services.compute.public import ComputeDoor
from cumulet.services.compute.room import Compute
from cumulet.services.fleet import service as fleet_service
from cumulet.services.fleet.public import FleetDoor
from cumulet.services.fleet.room import Fleet
from cumulet.services.identity import bootstrap as identity_bootstrap
from cumulet.services.identity import policies as identity_policies
from cumulet.services.identity import service as identity_service
from cumulet.services.identity.domain_config import files as domain_config_files
from cumulet.services.identity.public import IdentityDoor
from cumulet.services.identity.room import Identity
from cumulet.services.identity.settings import Settings as IdentitySettings
from cumulet.services.identity.settings import check_files
from cumulet.services.image import policies as image_policies
from cumulet.services.image import seed as image_seed
from cumulet.services.image import service as image_service
from cumulet.services.image.public import ImageDoor
from cumulet.services.image.room import Image
from cumulet.services.network import policies as network_policies
from cumulet.services.network import seed as network_seed
from cumulet.services.network import service as network_service
from cumulet.services.network.public import NetworkDoor
from cumulet.services.network.room import QUOTAS, Network
from cumulet.services.placement import policies as placement_policies
from cumulet.services.placement import service as placement_service
from cumulet.services.placement.public import PlacementDoor
from cumulet.services.placement.room import Placement

log = logging.getLogger("cumulet.serve")

POLICY_SECONDS = 5.0


class Ground(TypedDict):
    """What every room stands on."""

    database: Database
    bus: Bus
    clock: Clock
    region: str


class Cloud:
    """The rooms of one cloud, wired. Nothing runs until somebody runs `loops` and serves `app`."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        bus: Bus,
        clock: Clock,
        stores: dict[str, ImageStore] | None = None,
        rules: Callable[[str, Mapping[str, str]], Rules] | None = None,
        authenticate: Authenticate | None = None,
        shards: Shards | None = None,
        sweep_seconds: float = SWEEP_SECONDS,
        backups: ImageStore | None = None,
    ) -> None:
        self.settings = settings
        self.database, self.bus, self.clock = database, bus, clock
        state = settings.state
        self._policies: list[PolicyFiles] = []
        make_rules = rules or self._rules

        self.fleet = Fleet(rules=Rules({}), **self._ground())
        fleet = FleetDoor(self.fleet)
        self.identity = Identity(
            settings=identity_settings(settings),
            rules=make_rules("identity", identity_policies.DEFAULTS),
            **self._ground(),
        )
        identity = IdentityDoor(self.identity)
        self.placement = Placement(rules=make_rules("placement", placement_policies.DEFAULTS), **self._ground())
        placement = PlacementDoor(self.placement)
        named = image_stores.make(settings.image, state) if stores is None else image_stores.Stores(stores, "", {})
        self.image = Image(
            unified_limits=partial(identity.allowance, "image"),
            stores=named.drivers,
            web_store=named.web,
            offers=named.offers,
            show_locations=settings.image.show_locations,
            show_direct_url=settings.image.show_direct_url,
            require_image_format_match=settings.image.require_image_format_match,
            secure_hash=settings.image.secure_hash,
            import_format=settings.image.import_format,
            workshop=image_stores.workshop(settings.image, state),
            cache=FileImageStore(state / "image-cache") if settings.image.cache_mib else None,
            cache_limit=settings.image.cache_mib << 20,
            place=f"http://{settings.node_name or socket.gethostname()}:{settings.port}",
            staging=FileImageStore(Path(settings.image.staging_path or state / "staging")),
            outside=Outside(networks=settings.import_networks, ports=settings.import_ports),
            rules=make_rules("image", image_policies.DEFAULTS),
            **self._ground(),
        )
        image = ImageDoor(self.image)
        self.fleet.image_bytes = image.open
        self.network = Network(
            fleet=fleet,
            placement=placement,
            vni_range=settings.network.vni_range,
            vlan_range=settings.network.vlan_range,
            physical_networks=settings.network.physical_networks,
            quota=Quota("network", {**QUOTAS, **settings.network.quotas}),
            rules=make_rules("network", network_policies.DEFAULTS),
            **self._ground(),
        )
        network = NetworkDoor(self.network)
        self.block_storage = BlockStorage(
            fleet=fleet,
            image=image,
            seal=volume_seal(settings),
            backup_store=backups or image_stores.backups(settings.backup, state),
            always_exports=settings.always_export_volumes or settings.mode == "simulate",
            weighers=settings.volumes.weighers or FACTORS,
            rules=make_rules("block_storage", block_storage_policies.DEFAULTS),
            **self._ground(),
        )
        volumes = VolumeDoor(self.block_storage)
        self.fleet.backup_bytes = volumes.backup
        self.fleet.volume_key = volumes.key
        self.fleet.volume_file = volumes.file
        self.compute = Compute(
            fleet=fleet,
            identity=identity,
            placement=placement,
            images=image,
            networks=network,
            volumes=volumes,
            rules=make_rules("compute", compute_policies.DEFAULTS),
            **self._ground(),
        )
        self.services: dict[str, Service] = {
            "identity": identity_service.service(),
            "placement": placement_service.service(),
            "image": image_service.service(),
            "network": network_service.service(),
            "block_storage": block_storage_service.service(),
            "compute": compute_service.service(),
            "fleet": fleet_service.service(),
        }
        self.doors = {
            name: FrontDoor(service, getattr(self, name), authenticate or identity.authenticate)
            for name, service in self.services.items()
        }
        self.loops = [
            Loop(reconciler, bus, clock, shards, sweep_seconds=sweep_seconds)
            for reconciler in (
                *image_service.reconcilers(self.image),
                *network_service.reconcilers(self.network),
                *block_storage_service.reconcilers(self.block_storage),
                *compute_service.reconcilers(self.compute),
            )
        ]
        # Leases are for what all processes share.
        self.loops += [
            Loop(reconciler, bus, clock, sweep_seconds=sweep_seconds)
            for reconciler in image_service.own_reconcilers(self.image)
        ]
        keystone = self.doors["identity"]
        console = ConsoleDoor(ComputeDoor(self.compute).console, fleet.tunnel)
        self.app = Origin(
            {
                "console": console,
                **{service.path.strip("/"): self.doors[name] for name, service in self.services.items()},
            },
            root=keystone,
            bare={"v3": keystone, "healthcheck": Healthcheck(database), "metrics": Metrics(self.loops)},
        )

    def _ground(self) -> Ground:
        return {
            "database": self.database,
            "bus": self.bus,
            "clock": self.clock,
            "region": self.settings.region,
        }

    def _rules(self, room: str, defaults: Mapping[str, str]) -> Rules:
        """The room's rules, with the operator's policy files of `policy/ROOM/` over them."""
        rules = Rules(defaults)
        try:
            self._policies.append(PolicyFiles(rules, self.settings.state / "policy" / room))
        except PolicyFileError as error:
            raise SettingsError(f"the policy of {room} cannot be used:\n{error}") from error
        return rules

    async def seed(self) -> None:
        """What a young cloud has: users, catalogue, flavors, networks, an image. Doing it again changes nothing."""
        settings = self.settings
        catalogue = [
            identity_bootstrap.Offered(
                type=service.type,
                name=service.name,
                path=service.path,
                prefix=service.prefix if service.catalog_version else "",
                catalog_project=service.catalog_project,
                description=service.description,
            )
            for service in self.services.values()
            if service.type != "fleet"
        ]
        projects = await identity_bootstrap.bootstrap(
            self.identity,
            admin_password=admin_password(settings),
            region=settings.region,
            base_url=settings.url,
            services=catalogue,
        )
        await self._load_domain_configs()
        await compute_seed.seed(self.compute)
        await network_seed.seed(
            self.network,
            admin_project=projects["admin"],
            demo_project=projects["demo"],
            public_cidr=settings.floating_range,
            private_cidr=settings.fixed_range,
        )
        simulated = settings.mode == "simulate"
        tiny = settings.state / "seed" / "tiny.qcow2"
        await image_seed.seed(self.image, tiny=tiny if tiny.exists() else None, simulated=simulated)
        if not simulated:
            from cumulet.programs.host import own_facts
            from cumulet.services.fleet import nodes

            await nodes.admit(self.fleet, own_facts(settings), node_secret(settings))

    async def _load_domain_configs(self) -> None:
        """What the operator wrote about domains. Raises SettingsError naming the file."""
        folder = self.identity.settings.domain_config_dir
        if not folder:
            return
        try:
            await domain_config_files.load(self.identity, Path(folder))
        except domain_config_files.BadFile as error:
            raise SettingsError(str(error)) from error

    async def background(self) -> None:
        """Follow the operator's policy files while the cloud runs."""
        while True:
            await self.clock.sleep(POLICY_SECONDS)
            for files in self._policies:
                try:
                    if files.reload_if_changed():
                        log.info("policy files were read again")
                except Exception as error:
                    log.error("policy files cannot be read: %s", error)


def identity_settings(settings: Settings) -> IdentitySettings:
    """What the operator set about identity. Raises SettingsError naming the key."""
    try:
        given = IdentitySettings(state=settings.state, base_url=settings.url, **settings.identity)
        converted = msgspec.convert(dataclasses.asdict(given), IdentitySettings)
        check_files(converted)
        return converted
    except (TypeError, ValueError) as error:
        raise SettingsError(f"the settings of identity cannot be used: {error}") from error
