"""The types of what clients send about servers."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from cumulet.core.web.body import OPTIONAL, REQUIRED, Field
from cumulet.core.web.wire import (
    Anything,
    Bool,
    Enum,
    Int,
    Ip,
    ListOf,
    MapOf,
    Name,
    Obj,
    OneOf,
    Text,
    Uuid,
    Wire,
)
from cumulet.lib.ids import is_uuid


def _base64(value: str) -> str:
    try:
        base64.b64decode(value, validate=True)
    except (ValueError, binascii.Error) as error:
        raise ValueError("is not valid base64") from error
    return value


def _address(version: int) -> Any:
    def look(value: str) -> str:
        if not value:
            return ""
        address = str(Ip.look(value)) if Ip.look else value
        if (":" in address) != (version == 6):
            raise ValueError(f"{value[:60]!r} is not an IPv{version} address")
        return address

    return look


def _hostname(value: str) -> str:
    if not value or value[0] in "-." or value[-1] in "-.":
        raise ValueError("a host name begins and ends with a letter or digit")
    return value


def _tag(value: str) -> str:
    if "/" in value or "," in value:
        raise ValueError("a tag must not hold a slash or a comma")
    return value


UserData = Text(65535).also(_base64).or_null()
Base64 = Text(10 * 1024 * 1024).also(_base64)
AddressV4 = Text(64).also(_address(4))
AddressV6 = Text(64).also(_address(6))
Hostname = Text(63, 1, r"^[a-zA-Z0-9.-]+$").also(_hostname)
LongHostname = Text(255, 1, r"^[a-zA-Z0-9.-]+$").also(_hostname)
TagText = Text(60, 1).also(_tag)
TagList = ListOf(TagText, most=50)
DeviceTag = Text(60, 1, r"^[^,/]*$")
AdminPass = Text(255)
DiskConfig = Enum("AUTO", "MANUAL")
Description = Text(255).or_null()
FlavorRef = Wire(str | int, lambda value: str(value)[:255])
ImageRef = Text(255)
Certificates = ListOf(Text(255, 1), most=50, unique=True).or_null()
Personality = ListOf(Obj(Field("path", Text(255, 1), create=REQUIRED), Field("contents", Base64, create=REQUIRED)))
Groups = ListOf(Obj(Field("name", Text(255), create=OPTIONAL)), unique=True)

NetworkRequest = Obj(
    Field("uuid", Uuid, create=OPTIONAL),
    Field("port", Uuid.or_null(), create=OPTIONAL),
    Field("fixed_ip", Ip.or_null(), create=OPTIONAL),
    Field("tag", DeviceTag, create=OPTIONAL, since="2.32", until="2.36"),
    Field("tag", DeviceTag, create=OPTIONAL, since="2.42"),
)
NetworkList = ListOf(NetworkRequest, most=64)
Networks = OneOf(Enum("auto", "none"), NetworkList)

DeviceName = Text(255, 1, r"^[a-zA-Z0-9._/-]*$")
BlockDevice = Obj(
    Field("boot_index", Int(-(2**31)).or_null(), create=OPTIONAL),
    Field("uuid", Text(255).or_null(), create=OPTIONAL),
    Field("source_type", Enum("volume", "image", "snapshot", "blank"), create=REQUIRED),
    Field("destination_type", Enum("local", "volume"), create=OPTIONAL),
    Field("volume_size", OneOf(Text(255), Int(1, 2**31 - 1)).or_null(), create=OPTIONAL),
    Field("delete_on_termination", Bool, create=False),
    Field("device_name", DeviceName.or_null(), create=OPTIONAL),
    Field("guest_format", Text(255).or_null(), create=OPTIONAL),
    Field("disk_bus", Text(255).or_null(), create=OPTIONAL),
    Field("device_type", Text(255).or_null(), create=OPTIONAL),
    Field("no_device", Anything, create=OPTIONAL),
    Field("connection_info", Text(255).or_null(), create=OPTIONAL),
    Field("volume_type", Text(255).or_null(), create=OPTIONAL, since="2.67"),
    Field("tag", DeviceTag, create=OPTIONAL, since="2.32", until="2.32"),
    Field("tag", DeviceTag, create=OPTIONAL, since="2.42"),
)
OldBlockDevice = Obj(
    Field("device_name", DeviceName.or_null(), create=OPTIONAL),
    Field("virtual_name", Text(255), create=OPTIONAL),
    Field("volume_id", Text(255).or_null(), create=OPTIONAL),
    Field("snapshot_id", Text(255).or_null(), create=OPTIONAL),
    Field("volume_size", Int(1).or_null(), create=OPTIONAL),
    Field("delete_on_termination", Bool, create=False),
    Field("no_device", Anything, create=OPTIONAL),
    Field("connection_info", Text(255).or_null(), create=OPTIONAL),
)


def _hints(value: dict[str, Any]) -> dict[str, Any]:
    """The hints that placing knows are checked; others are kept for whoever reads them."""
    for name in ("different_host", "same_host"):
        given = value.get(name, [])
        if not all(isinstance(item, str) and is_uuid(item) for item in (given if isinstance(given, list) else [given])):
            raise ValueError(f"{name}: must be the id of a server, or a list of such ids")
    group = value.get("group")
    if group is not None and not (isinstance(group, str) and is_uuid(group)):
        raise ValueError("group: must be the id of a server group")
    if len(str(value)) > 4096:
        raise ValueError("is longer than 4096 characters")
    return value


Hints = Wire(dict[str, Any], _hints)
ServerMetadata = MapOf(Text(255), key=r"^[a-zA-Z0-9\-_:. ]{1,255}$", most=1000)

CREATE = (
    Field("name", Name, create=REQUIRED),
    Field("imageRef", ImageRef.or_null(), create=OPTIONAL),
    Field("flavorRef", FlavorRef, create=REQUIRED),
    Field("networks", NetworkList, create=OPTIONAL, until="2.36"),
    Field("networks", Networks, create=REQUIRED, since="2.37"),
    Field("security_groups", Groups, create=OPTIONAL),
    Field("key_name", Text(255, 1).or_null(), create=OPTIONAL),
    Field("user_data", UserData, create=OPTIONAL),
    Field("metadata", ServerMetadata, create=OPTIONAL),
    Field("personality", Personality, create=OPTIONAL, until="2.56"),
    Field("adminPass", AdminPass, create=OPTIONAL),
    Field("availability_zone", Text(255, 1).or_null(), create=OPTIONAL),
    Field("config_drive", Bool.or_null(), create=OPTIONAL),
    Field("OS-DCF:diskConfig", DiskConfig, create=OPTIONAL),
    Field("accessIPv4", AddressV4, create=OPTIONAL),
    Field("accessIPv6", AddressV6, create=OPTIONAL),
    Field("min_count", Int(1, 1000), create=OPTIONAL),
    Field("max_count", Int(1, 1000), create=OPTIONAL),
    Field("return_reservation_id", Bool, create=False),
    Field("block_device_mapping", ListOf(OldBlockDevice, most=64), create=OPTIONAL),
    Field("block_device_mapping_v2", ListOf(BlockDevice, most=64), create=OPTIONAL),
    Field("description", Description, create=OPTIONAL, since="2.19"),
    Field("tags", TagList, create=OPTIONAL, since="2.52"),
    Field("trusted_image_certificates", Certificates, create=OPTIONAL, since="2.63"),
    Field("host", Text(255, 1), create=OPTIONAL, since="2.74"),
    Field("hypervisor_hostname", Text(255, 1), create=OPTIONAL, since="2.74"),
    Field("hostname", Hostname, create=OPTIONAL, since="2.90", until="2.93"),
    Field("hostname", LongHostname, create=OPTIONAL, since="2.94"),
)
UPDATE = (
    Field("name", Name, update=OPTIONAL),
    Field("accessIPv4", AddressV4, update=OPTIONAL),
    Field("accessIPv6", AddressV6, update=OPTIONAL),
    Field("OS-DCF:diskConfig", DiskConfig, update=OPTIONAL),
    Field("description", Description, update=OPTIONAL, since="2.19"),
    Field("hostname", Hostname, update=OPTIONAL, since="2.90", until="2.93"),
    Field("hostname", LongHostname, update=OPTIONAL, since="2.94"),
    Field("pinned_availability_zone", Text(255, 1).or_null(), update=OPTIONAL, since="2.104"),
)
BESIDE = (
    Field("os:scheduler_hints", Hints, create=OPTIONAL),
    Field("OS-SCH-HNT:scheduler_hints", Hints, create=OPTIONAL),
)
ItemMetadata = MapOf(Text(255), key=r"^[a-zA-Z0-9\-_:. ]{1,255}$", least=1, most=1)
