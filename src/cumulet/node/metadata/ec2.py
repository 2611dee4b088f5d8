"""The EC2 form of the metadata: a tree of short texts, each folder listing its names."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from cumulet.contracts.machines import GuestData

EC2_VERSIONS = (
    "1.0",
    "2007-01-19",
    "2007-03-01",
    "2007-08-29",
    "2007-10-10",
    "2007-12-15",
    "2008-02-01",
    "2008-09-01",
    "2009-04-04",
)

Tree = Mapping[str, "str | bytes | Tree"]

_LABEL = "_name"
"""What a folder is called beside its number in a listing: `0=maple` for the key at `0/`."""

_MANIFEST = "unavailable"
"""Images here have no EC2 manifest, but its name is a page that old clients read."""


def ec2_page(parts: list[str], guest: GuestData, address: str, user_data: bytes | None) -> bytes | None:
    """The page below these parts of a path, the first being the version; None if there is none."""
    if parts[0] not in (*EC2_VERSIONS, "latest"):
        return None
    version = EC2_VERSIONS[-1] if parts[0] == "latest" else parts[0]
    top: dict[str, str | bytes | Tree] = {"meta-data": _meta_data(guest, version, address)}
    if user_data is not None:
        top["user-data"] = user_data
    node: str | bytes | Tree = top
    for part in parts[1:]:
        if isinstance(node, str | bytes) or part not in node or part == _LABEL:
            return None
        node = node[part]
    return _shown(node)


def ec2_json(guest: GuestData, version: str, address: str) -> bytes:
    """The same tree as one document, as the config drive holds it."""
    version = EC2_VERSIONS[-1] if version == "latest" else version
    return msgspec.json.encode(_meta_data(guest, version, address))


def _shown(node: str | bytes | Tree) -> bytes:
    if isinstance(node, bytes):
        return node
    if isinstance(node, str):
        return node.encode()
    lines = []
    for name in sorted(node.keys() - {_LABEL}):
        child = node[name]
        if isinstance(child, str | bytes):
            lines.append(name)
        elif _LABEL in child:
            lines.append(f"{name}={child[_LABEL]!s}")
        else:
            lines.append(f"{name}/")
    return "\n".join(lines).encode()


def _meta_data(guest: GuestData, version: str, address: str) -> Tree:
    tree: dict[str, str | bytes | Tree] = {
        "ami-id": guest.image_id,
        "ami-launch-index": str(guest.launch_index),
        "ami-manifest-path": _MANIFEST,
        "instance-id": guest.instance_id,
        "hostname": guest.hostname,
        "local-ipv4": address,
        "reservation-id": guest.reservation_id,
        "security-groups": "\n".join(guest.security_groups),
    }
    if guest.keys:
        tree["public-keys"] = {
            str(number): {_LABEL: key.name, "openssh-key": key.text} for number, key in enumerate(guest.keys)
        }
    if version >= "2007-01-19":
        tree["local-hostname"] = guest.hostname
        tree["public-hostname"] = guest.hostname
        tree["public-ipv4"] = guest.public_address
    if version >= "2007-08-29":
        tree["instance-type"] = guest.instance_type
    if version >= "2007-12-15":
        tree["block-device-mapping"] = {"ami": "vda", "root": "/dev/vda"}
    if version >= "2008-02-01":
        tree["placement"] = {"availability-zone": guest.availability_zone}
    if version >= "2008-09-01":
        tree["instance-action"] = "none"
    return tree
