"""Well-known cloud images: where their makers publish them, and how to know that one has arrived unharmed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CloudImage:
    """One published image, for x86-64."""

    name: str
    title: str
    user: str
    """Whom the image lets log in with the owner's key."""
    url: str
    checksums: str = ""
    """Where the digests of the newest build are published."""
    digest: str = ""
    """The digest itself, of images that never change."""

    @property
    def file_name(self) -> str:
        return self.url.rsplit("/", 1)[1]


_CIRROS = "https://download.cirros-cloud.net/0.6.3/"
_DEBIAN = "https://cloud.debian.org/images/cloud/"
_UBUNTU = "https://cloud-images.ubuntu.com/"
_FEDORA = "https://download.fedoraproject.org/pub/fedora/linux/releases/44/Cloud/x86_64/images/"
_ALMA = "https://repo.almalinux.org/almalinux/"
_ROCKY = "https://dl.rockylinux.org/pub/rocky/"

_ROCKY_9 = _ROCKY + "9/images/x86_64/Rocky-9-GenericCloud-Base.latest.x86_64.qcow2"

_IMAGES = (
    CloudImage(
        name="cirros",
        title="CirrOS 0.6.3",
        user="cirros",
        url=_CIRROS + "cirros-0.6.3-x86_64-disk.img",
        digest="7d6355852aeb6dbcd191bcda7cd74f1536cfe5cbf8a10495a7283a8396e4b75b",
    ),
    CloudImage(
        name="debian-12",
        title="Debian 12 (bookworm)",
        user="debian",
        url=_DEBIAN + "bookworm/latest/debian-12-genericcloud-amd64.qcow2",
        checksums=_DEBIAN + "bookworm/latest/SHA512SUMS",
    ),
    CloudImage(
        name="debian-13",
        title="Debian 13 (trixie)",
        user="debian",
        url=_DEBIAN + "trixie/latest/debian-13-genericcloud-amd64.qcow2",
        checksums=_DEBIAN + "trixie/latest/SHA512SUMS",
    ),
    CloudImage(
        name="ubuntu-22.04",
        title="Ubuntu 22.04 LTS (jammy)",
        user="ubuntu",
        url=_UBUNTU + "jammy/current/jammy-server-cloudimg-amd64.img",
        checksums=_UBUNTU + "jammy/current/SHA256SUMS",
    ),
    CloudImage(
        name="ubuntu-24.04",
        title="Ubuntu 24.04 LTS (noble)",
        user="ubuntu",
        url=_UBUNTU + "noble/current/noble-server-cloudimg-amd64.img",
        checksums=_UBUNTU + "noble/current/SHA256SUMS",
    ),
    CloudImage(
        name="fedora-44",
        title="Fedora Cloud 44",
        user="fedora",
        url=_FEDORA + "Fedora-Cloud-Base-Generic-44-1.7.x86_64.qcow2",
        checksums=_FEDORA + "Fedora-Cloud-44-1.7-x86_64-CHECKSUM",
    ),
    CloudImage(
        name="alma-9",
        title="AlmaLinux 9",
        user="almalinux",
        url=_ALMA + "9/cloud/x86_64/images/AlmaLinux-9-GenericCloud-latest.x86_64.qcow2",
        checksums=_ALMA + "9/cloud/x86_64/images/CHECKSUM",
    ),
    CloudImage(
        name="rocky-9",
        title="Rocky Linux 9",
        user="rocky",
        url=_ROCKY_9,
        checksums=_ROCKY_9 + ".CHECKSUM",
    ),
)

CATALOGUE = {image.name: image for image in _IMAGES}
