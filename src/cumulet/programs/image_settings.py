"""What an operator may set about images: the table `[image]` of the settings file, and its stores."""

from __future__ import annotations

import re
from typing import Literal

import msgspec

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}\Z")
_RESERVED = ("staging", "cache")
"""Places of the image service's own."""


class BadStore(ValueError):
    """A store cannot be used; the message names the key and what would do."""


class _Common(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """What every store may say."""

    description: str = ""
    weight: int = 0
    """Where an image lies in several stores, it is read from the one with the greatest weight."""


class FileStore(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="file"):
    """A directory."""

    path: str = ""
    """Empty: below the state directory."""


class HttpStore(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="http"):
    """Web servers, from which images are only read. `import_networks` and `import_ports` say which may be asked."""


class S3Store(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="s3"):
    """A bucket of S3, or of a server that speaks as S3 does. It must exist."""

    url: str
    bucket: str
    access_key: str
    secret_key: str
    region: str = "us-east-1"
    prefix: str = ""
    """What the names of its objects begin with."""


class SwiftStore(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="swift"):
    """A container of Swift, found in the catalogue of an identity service. It must exist."""

    auth_url: str
    container: str
    username: str
    password: str
    project: str
    user_domain: str = "Default"
    project_domain: str = "Default"
    region: str = ""


class RbdStore(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="rbd"):
    """A pool of Ceph. It must exist; the host needs the package librbd1."""

    pool: str = "images"
    user: str = "glance"
    """Without `client.`; its key is where the configuration says."""
    conf: str = "/etc/ceph/ceph.conf"


Store = FileStore | HttpStore | S3Store | SwiftStore | RbdStore
BackupStore = FileStore | S3Store | SwiftStore | RbdStore
"""One for the backups of volumes, of its own: never one that holds images."""


class ImageSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Images of one cloud."""

    stores: dict[str, Store] = {}
    """By name; empty: one directory, named `file`."""
    default_store: str = ""
    """Where images go unless a client chooses; empty: the first store that takes any."""
    show_locations: bool = False
    """Owners see where their images lie, and may add places on web servers to them."""
    show_direct_url: bool = False
    require_image_format_match: bool = True
    """What is not the format it is declared as is refused; else it is kept and handed out, but no server starts from
    it. What could make its reader open another file is refused always."""
    import_format: Literal["", "raw", "qcow2", "vmdk", "vdi"] = ""
    """What disks are converted to when they are imported; empty: they stay what they are."""
    cache_mib: int = 10_240
    """The room for copies of images whose stores are far away; 0: none are kept."""
    staging_path: str = ""
    """Where data waits for its import: a directory that all API processes share. Empty: below the state directory."""
    secure_hash: bool = True
    """Images that are only read from a web server are hashed too."""


def check(settings: ImageSettings) -> None:
    """Raise BadStore for what would only fail later."""
    for name in settings.stores:
        if not _NAME.match(name) or name in _RESERVED:
            raise BadStore(f"image.stores: {name[:40]!r} cannot be the name of a store; use a-z, 0-9, _ and -")
    if settings.cache_mib < 0:
        raise BadStore("image.cache_mib: give a number of MiB, or 0 for no cache")
    for name, store in settings.stores.items():
        check_url(f"image.stores.{name}", store)
    taking = [name for name, store in settings.stores.items() if not isinstance(store, HttpStore)]
    if settings.stores and not taking:
        raise BadStore("image.stores: no store takes data; add one of another type than http")
    if len(settings.stores) - len(taking) > 1:
        raise BadStore("image.stores: more than one store of type http; one reads from all web servers")
    if settings.default_store and settings.default_store not in (taking or ["file"]):
        known = ", ".join(taking)
        raise BadStore(f"image.default_store: {settings.default_store[:40]!r} is no store that takes data: {known}")


def check_url(where: str, store: Store) -> None:
    for key in ("url", "auth_url"):
        if not str(getattr(store, key, "http://")).startswith(("http://", "https://")):
            raise BadStore(f"{where}.{key}: give a URL that begins with http:// or https://")
