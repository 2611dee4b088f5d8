"""The image stores that the settings name."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from cumulet.drivers.image_store.base import ImageStore
from cumulet.drivers.image_store.files import FileImageStore
from cumulet.drivers.image_store.rbd import RbdImageStore
from cumulet.drivers.image_store.s3 import S3ImageStore
from cumulet.drivers.image_store.s3_signing import Keys
from cumulet.drivers.image_store.swift import Account, SwiftImageStore
from cumulet.drivers.image_store.workshop import Workshop
from cumulet.drivers.network.linux.sandbox import is_rootless
from cumulet.lib.process import User
from cumulet.programs.image_settings import (
    BackupStore,
    FileStore,
    HttpStore,
    ImageSettings,
    RbdStore,
    S3Store,
    Store,
    SwiftStore,
)
from cumulet.services.image.room import Offer

CONVERTER = 63_999
"""Root has images converted by this user number, which no distribution gives out."""


@dataclass(frozen=True)
class Stores:
    """What the image service's room is given of them."""

    drivers: Mapping[str, ImageStore]
    """Those that take data, the default one first."""
    web: str
    """The name of the one that reads from web servers; empty: there is none."""
    offers: Mapping[str, Offer]


def make(settings: ImageSettings, state: Path) -> Stores:
    """Drivers for all stores. Nothing is asked of them yet."""
    named: dict[str, Store] = settings.stores or {"file": FileStore()}
    web = next((name for name, store in named.items() if isinstance(store, HttpStore)), "")
    taking = {name: store for name, store in named.items() if not isinstance(store, HttpStore)}
    first = settings.default_store or next(iter(taking))
    drivers = {name: _driver(name, taking[name], state) for name in sorted(taking, key=lambda name: name != first)}
    offers = {name: _offer(store) for name, store in named.items()}
    return Stores(drivers, web, offers)


def workshop(settings: ImageSettings, state: Path) -> Workshop | None:
    """Where imports are converted, if they are."""
    if not settings.import_format:
        return None
    rootful = os.geteuid() == 0 and not is_rootless()
    return Workshop(state / "image-workshop", User(CONVERTER, CONVERTER) if rootful else None)


def _driver(name: str, store: Store, state: Path) -> ImageStore:
    match store:
        case FileStore():
            return FileImageStore(Path(store.path) if store.path else _folder(state, name))
        case S3Store():
            keys = Keys(store.access_key, store.secret_key, store.region)
            return S3ImageStore(store.url, store.bucket, keys, store.prefix)
        case SwiftStore():
            account = Account(
                store.auth_url.rstrip("/"),
                store.username,
                store.password,
                store.project,
                store.user_domain,
                store.project_domain,
                store.region,
            )
            return SwiftImageStore(account, store.container)
        case RbdStore():
            return RbdImageStore(store.pool, store.user, store.conf)
        case HttpStore():
            raise TypeError(f"{name} takes no data")


def backups(store: BackupStore, state: Path) -> ImageStore:
    """The driver of the store of backups."""
    if isinstance(store, FileStore):
        return FileImageStore(Path(store.path) if store.path else state / "backups")
    return _driver("backup", store, state)


def _folder(state: Path, name: str) -> Path:
    return state / "images" if name == "file" else state / "image-stores" / name


def _offer(store: Store) -> Offer:
    return Offer(description=store.description, weight=store.weight, properties=_properties(store))


def _properties(store: Store) -> dict[str, object]:
    """What administrators see of how a store is reached."""
    match store:
        case FileStore():
            return {"data_dir": store.path or "below the state directory"}
        case S3Store():
            return {"s3_store_host": store.url, "s3_store_bucket": store.bucket}
        case SwiftStore():
            return {"auth_address": store.auth_url, "container": store.container, "user": store.username}
        case RbdStore():
            return {"pool": store.pool, "user": store.user}
        case HttpStore():
            return {}
