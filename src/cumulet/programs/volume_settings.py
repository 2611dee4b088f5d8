"""What an operator may set about volumes: the table `[volumes]` of the settings file, and this node's backends."""

from __future__ import annotations

import re

import msgspec

from cumulet.contracts.backends import Terms
from cumulet.services.block_storage.placing import expressions
from cumulet.services.block_storage.placing.weighers import WEIGHERS

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,15}\Z")
_POOL = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,62}\Z")

_SHARE = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9.-]*|\[[0-9A-Fa-f:]+\]):/[^\s,]*\Z")
_OPTIONS = re.compile(r"[A-Za-z0-9_=:.,-]*\Z")


class BadBackend(ValueError):
    """A backend cannot be used; the message names the key and what would do."""


class _Common(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    """What every backend may say."""

    backend_name: str = ""
    """What volume types choose it by, as `volume_backend_name`; empty: its name."""
    reserved_percentage: int = 0
    """How much of its room is never given out."""
    max_over_subscription_ratio: float = 1.0
    """How many times its room may be promised to volumes, which take only what is written."""
    filter_function: str = ""
    """Must be true of a volume that is made here: an expression, such as `volume.size <= 100`."""
    goodness_function: str = ""
    """How well it takes a volume: an expression with a value from 0 to 100."""
    capabilities: dict[str, str] = {}
    """What volume types may ask for besides, such as `disk = "ssd"`."""

    @property
    def terms(self) -> Terms:
        return Terms(
            pool=self.backend_name,
            reserved_percentage=self.reserved_percentage,
            max_over_subscription_ratio=self.max_over_subscription_ratio,
            filter_function=self.filter_function,
            goodness_function=self.goodness_function,
            capabilities=self.capabilities,
        )


class FilesBackend(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="files"):
    """Files in a directory of this node."""

    path: str = ""
    """Empty: below the state directory."""


class NfsBackend(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="nfs"):
    """Files on a share, which this node mounts; the node must be root, and the share let it be."""

    share: str
    """`HOST:/PATH`."""
    options: str = "vers=4.2"
    """Of the mount, besides `nosuid,nodev,noexec`."""


class RbdBackend(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="rbd"):
    """A pool of Ceph, which all nodes that name it here share. Each has the key of the user in a keyring."""

    pool: str = "volumes"
    user: str = "cinder"
    conf: str = "/etc/ceph/ceph.conf"


class IscsiBackend(_Common, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="iscsi"):
    """Volumes of this node that machines of all nodes reach at a target of iSCSI."""

    path: str = ""
    """Where their files are; empty: below the state directory."""
    port: int = 3260


VolumeBackend = FilesBackend | NfsBackend | RbdBackend | IscsiBackend


_WORD = re.compile(r"[A-Za-z0-9_+.][A-Za-z0-9_+.-]{0,62}\Z")


class VolumeSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Volumes of one node."""

    backends: dict[str, VolumeBackend] = {}
    """By name; empty: one of the type `files`, named `local`."""
    weighers: dict[str, float] = {}
    """By which pools are ranked for a new volume, and how much each counts: the API's word. Empty: the room they have,
    and what `goodness_function` says."""


def check(settings: VolumeSettings) -> None:
    """Raise BadBackend for what would only fail later."""
    for name in settings.weighers:
        if name not in WEIGHERS:
            raise BadBackend(f"volumes.weighers: there is no {name[:40]!r}; use {', '.join(WEIGHERS)}")
    for name, backend in settings.backends.items():
        where = f"volumes.backends.{name[:40]}"
        if not _NAME.match(name):
            raise BadBackend(f"{where}: this cannot be the name of a backend; use up to 16 of a-z, 0-9, _ and -")
        if backend.backend_name and not _POOL.match(backend.backend_name):
            raise BadBackend(f"{where}.backend_name: use up to 63 letters, digits, spaces, '.', '_' and '-'")
        if not 0 <= backend.reserved_percentage <= 100:
            raise BadBackend(f"{where}.reserved_percentage: give a number from 0 to 100")
        if not backend.max_over_subscription_ratio >= 1:
            raise BadBackend(f"{where}.max_over_subscription_ratio: give a number that is 1 or more")
        for function in ("filter_function", "goodness_function"):
            _check_function(f"{where}.{function}", getattr(backend, function))
        if isinstance(backend, NfsBackend):
            _check_nfs(where, backend)
        if isinstance(backend, RbdBackend):
            _check_words(where, pool=backend.pool, user=backend.user)
        if isinstance(backend, IscsiBackend) and not 0 < backend.port < 1 << 16:
            raise BadBackend(f"{where}.port: {backend.port} is no port; give a number from 1 to 65535")


def _check_function(where: str, text: str) -> None:
    try:
        if text:
            expressions.check(text)
    except expressions.BadExpression as error:
        raise BadBackend(f"{where}: {error}") from error


def _check_nfs(where: str, backend: NfsBackend) -> None:
    if not _SHARE.match(backend.share):
        raise BadBackend(f"{where}.share: {backend.share[:60]!r} is no share; give HOST:/PATH")
    if not _OPTIONS.match(backend.options):
        raise BadBackend(f"{where}.options: {backend.options[:60]!r} are no options of a mount, such as vers=4.2,hard")


def _check_words(where: str, **words: str) -> None:
    for name, word in words.items():
        if not _WORD.match(word):
            raise BadBackend(f"{where}.{name}: {word[:40]!r} is no name; use letters, digits, '_', '+', '.' and '-'")
