"""What an operator may set: a handful of typed fields, from flags, the environment and one TOML file, in this order."""

from __future__ import annotations

import ipaddress
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from cumulet.drivers.network.linux.names import PHYSICAL
from cumulet.drivers.network.linux.node import INTERFACE
from cumulet.programs import image_settings, promises, volume_settings
from cumulet.programs.image_settings import BackupStore, FileStore, ImageSettings
from cumulet.programs.network_settings import NetworkSettings
from cumulet.programs.volume_settings import VolumeSettings

PREFIX = "CUMULET_"
CONFIG = PREFIX + "CONFIG"
MODES = ("real", "rootless", "simulate")
DATABASES = ("sqlite", "postgresql", "postgres", "mysql", "mariadb")
BUSES = ("amqp", "amqps")
LONGEST_PREFIX = 29
"""A smaller network has no room for its own address, its gateway and guests."""


class SettingsError(ValueError):
    """A setting cannot be used; the message names it, where it was found, and what would do."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One cloud's settings."""

    state_dir: str = ""
    """Where everything is kept; empty: /var/lib/cumulet for root, else ~/.local/state/cumulet."""
    host: str = "127.0.0.1"
    """The address the API listens on."""
    port: int = 5000
    public_url: str = ""
    """How clients reach the API; empty: from host and port."""
    database: str = ""
    """A URL: postgresql://…, mysql://…; empty: SQLite in the state directory."""
    bus: str = ""
    """amqp://… for RabbitMQ; empty: wake-ups stay in this process."""
    region: str = "RegionOne"
    admin_password: str = ""
    """Empty: made at the first start and kept in the state directory."""
    mode: str = ""
    """`real`, `rootless` or `simulate`; empty: the best that this machine allows."""
    floating_range: str = "172.24.4.0/24"
    fixed_range: str = "10.0.0.0/26"
    node_name: str = ""
    """Empty: the host's name."""
    node_address: str = ""
    """host:port at which the cloud asks this node questions; empty: a unix socket, for the API's own host."""
    tunnel_address: str = ""
    """Where this node receives the traffic of networks that span nodes; empty: they end here."""
    wires: dict[str, str] = {}
    """A table: physical networks, and the interface of this host that leads to each and to nothing else."""
    always_export_volumes: bool = False
    """Volumes are reached over the network even on their own node: slower, but servers with volumes can move live."""
    simulated_nodes: int = 2
    """Nodes of the simulated world."""
    bandwidths: tuple[str, ...] = ("public:10000000:10000000",)
    """What this node's wires may promise to servers, in kbit/s: PHYSICAL_NETWORK:EGRESS:INGRESS each. `rp_tunnelled`
    stands for the traffic of networks that span nodes."""
    packet_rate: str = "1000"
    """How many thousand packets a second this node may promise: both directions together, or EGRESS:INGRESS."""
    uplink: bool = False
    """Guests reach the outside world through this host."""
    identity: dict[str, Any] = {}
    """A table of what services/identity/settings.py names: lock-out, password rules, lifetimes."""
    image: ImageSettings = ImageSettings()
    """A table: the stores of images, and what of them is shown."""
    import_networks: tuple[str, ...] = ()
    """Networks that image imports may reach besides the public internet: an operator's own mirror."""
    import_ports: tuple[int, ...] = (80, 443)
    backup: BackupStore = FileStore()
    """A table like one of `image.stores`: where the bytes of backups are kept; else in the state directory."""
    network: NetworkSettings = NetworkSettings()
    """A table: the provider's wires, and the numbers of segments that networks are given by themselves."""
    volumes: VolumeSettings = VolumeSettings()
    """A table: the backends of this node's volumes."""
    log_level: str = "INFO"

    @property
    def state(self) -> Path:
        if self.state_dir:
            return Path(self.state_dir)
        if os.geteuid() == 0:
            return Path("/var/lib/cumulet")
        base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        return Path(base) / "cumulet"

    @property
    def url(self) -> str:
        return self.public_url or f"http://{self.host}:{self.port}"

    @property
    def database_url(self) -> str:
        return self.database or f"sqlite:///{self.state / 'cumulet.db'}"

    @property
    def socket(self) -> Path:
        """Where this host's own node reaches the API."""
        return self.state / "run" / "serve.sock"


def load(flags: Mapping[str, Any], environment: Mapping[str, str], file: Path | None = None) -> Settings:
    """The settings in force. Raises SettingsError."""
    values: dict[str, Any] = {}
    if file is not None:
        values |= _from_file(file)
    elif (given := environment.get(CONFIG)) is not None:
        values |= _from_file(Path(given))
    for name in Settings.__struct_fields__:
        if (text := environment.get(PREFIX + name.upper())) is not None:
            values[name] = text
    values |= {name: value for name, value in flags.items() if value is not None}
    try:
        settings = msgspec.convert(values, Settings, strict=False)
    except msgspec.ValidationError as error:
        raise SettingsError(f"the settings cannot be used: {error}") from error
    _check(settings)
    return settings


def _check(settings: Settings) -> None:
    """Refuse what would only fail later, in words that name the setting."""
    if not 1 <= settings.port <= 65535:
        raise SettingsError(f"port: {settings.port} is no port; give a number from 1 to 65535")
    if settings.mode not in ("", *MODES):
        raise SettingsError(f"mode: {settings.mode!r} is none; use {', '.join(MODES)}")
    try:
        image_settings.check(settings.image)
        image_settings.check_url("backup", settings.backup)
        volume_settings.check(settings.volumes)
        promises.wires(settings.bandwidths)
        promises.packets(settings.packet_rate)
    except (image_settings.BadStore, volume_settings.BadBackend, promises.BadPromise) as error:
        raise SettingsError(str(error)) from error
    _check_wires(settings.wires)
    _check_scheme("database", settings.database, DATABASES)
    if settings.bus != "memory:":
        _check_scheme("bus", settings.bus, BUSES)
    floating = _network("floating_range", settings.floating_range)
    fixed = _network("fixed_range", settings.fixed_range)
    if floating and fixed and floating.overlaps(fixed):
        raise SettingsError(
            f"floating_range {floating} and fixed_range {fixed} overlap; choose one of them differently"
        )


def _check_wires(wires: Mapping[str, str]) -> None:
    for physical, interface in wires.items():
        if not PHYSICAL.fullmatch(physical) or not INTERFACE.fullmatch(interface):
            raise SettingsError(
                f"wires: {physical[:60]!r} = {interface[:60]!r} is not a physical network such as 'public' and "
                "an interface of this host"
            )
    for interface in wires.values():
        if list(wires.values()).count(interface) > 1:
            raise SettingsError(f"wires: {interface!r} can lead to one physical network only")


def _check_scheme(name: str, url: str, known: tuple[str, ...]) -> None:
    scheme = url.partition("://")[0].partition("+")[0]
    if url and ("://" not in url or scheme not in known):
        # The URL itself may hold a password.
        raise SettingsError(f"{name}: a URL that begins with {scheme[:20]!r} is unknown here; use {', '.join(known)}")


def _network(name: str, text: str) -> ipaddress.IPv4Network | None:
    if not text:
        return None
    try:
        network = ipaddress.IPv4Network(text, strict=False)
    except ValueError as error:
        raise SettingsError(f"{name}: {text[:60]!r} is no IPv4 network such as 172.24.4.0/24") from error
    if network.prefixlen > LONGEST_PREFIX:
        raise SettingsError(f"{name}: {network} is too small; at least a /{LONGEST_PREFIX} is needed")
    return network


def _from_file(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text())
    except FileNotFoundError as error:
        raise SettingsError(f"{file}: there is no such file") from error
    except OSError as error:
        raise SettingsError(f"{file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: {error}") from error
