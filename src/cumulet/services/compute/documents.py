"""The version documents, and the list of extensions that old clients ask for."""

from __future__ import annotations

from typing import Any

from cumulet.core.errors import NotFound
from cumulet.core.room import Room
from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.compute.versions import EARLIEST, LATEST


def _old(root: str) -> dict[str, Any]:
    """Of before the microversions; clients tell by the empty numbers that there are none."""
    return {
        "id": "v2.0",
        "status": "SUPPORTED",
        "version": "",
        "min_version": "",
        "updated": "2011-01-21T11:33:21Z",
        "links": [{"rel": "self", "href": f"{root}/v2/"}],
    }


def _current(root: str) -> dict[str, Any]:
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": LATEST,
        "min_version": EARLIEST,
        "updated": "2013-07-23T11:33:21Z",
        "links": [{"rel": "self", "href": f"{root}/v2.1/"}],
    }


def _root(call: Call) -> str:
    return call.base.rpartition("/")[0]


async def versions(room: Room, call: Call) -> dict[str, Any]:
    return {"versions": [_old(_root(call)), _current(_root(call))]}


async def old_version(room: Room, call: Call) -> dict[str, Any]:
    return _in_full(_old(_root(call)), "application/vnd.openstack.compute+json;version=2")


async def version(room: Room, call: Call) -> dict[str, Any]:
    return _in_full(_current(_root(call)), "application/vnd.openstack.compute+json;version=2.1")


async def one_version(room: Room, call: Call) -> dict[str, Any]:
    """By its name, inside of the newer one."""
    known = {"v2.0": old_version, "v2.1": version}
    asked = call.path["id"]
    if asked not in known:
        raise NotFound(f"There is no version {asked[:40]!r}.")
    return await known[asked](room, call)


def _in_full(shown: dict[str, Any], media_type: str) -> dict[str, Any]:
    shown["links"].append(
        {"rel": "describedby", "type": "text/html", "href": "https://docs.openstack.org/api-ref/compute/"}
    )
    shown["media-types"] = [{"base": "application/json", "type": media_type}]
    return {"version": shown}


EXTENSIONS = {
    # alias: name. What clients of before the microversions look for.
    "NMN": "Multinic",
    "OS-DCF": "DiskConfig",
    "OS-EXT-AZ": "ExtendedAvailabilityZone",
    "OS-EXT-SRV-ATTR": "ExtendedServerAttributes",
    "OS-EXT-STS": "ExtendedStatus",
    "OS-FLV-DISABLED": "FlavorDisabled",
    "OS-FLV-EXT-DATA": "FlavorExtraData",
    "OS-SCH-HNT": "SchedulerHints",
    "OS-SRV-USG": "ServerUsage",
    "os-admin-actions": "AdminActions",
    "os-admin-password": "AdminPassword",
    "os-aggregates": "Aggregates",
    "os-attach-interfaces": "AttachInterfaces",
    "os-availability-zone": "AvailabilityZone",
    "os-block-device-mapping": "BlockDeviceMapping",
    "os-config-drive": "ConfigDrive",
    "os-console-output": "ConsoleOutput",
    "os-consoles": "Consoles",
    "os-create-backup": "CreateBackup",
    "os-deferred-delete": "DeferredDelete",
    "os-evacuate": "Evacuate",
    "os-extended-volumes": "ExtendedVolumes",
    "os-flavor-access": "FlavorAccess",
    "os-flavor-extra-specs": "FlavorExtraSpecs",
    "os-flavor-manage": "FlavorManage",
    "os-hosts": "Hosts",
    "os-hypervisors": "Hypervisors",
    "os-instance-actions": "InstanceActions",
    "os-keypairs": "Keypairs",
    "os-lock-server": "LockServer",
    "os-migrate-server": "MigrateServer",
    "os-migrations": "Migrations",
    "os-multiple-create": "MultipleCreate",
    "os-pause-server": "PauseServer",
    "os-personality": "Personality",
    "os-quota-class-sets": "QuotaClasses",
    "os-quota-sets": "Quotas",
    "os-remote-consoles": "Consoles",
    "os-rescue": "Rescue",
    "os-security-groups": "SecurityGroups",
    "os-server-diagnostics": "ServerDiagnostics",
    "os-server-external-events": "ServerExternalEvents",
    "os-server-groups": "ServerGroups",
    "os-services": "Services",
    "os-shelve": "Shelve",
    "os-simple-tenant-usage": "SimpleTenantUsage",
    "os-suspend-server": "SuspendServer",
    "os-user-data": "UserData",
    "os-volumes": "Volumes",
}


def _extension(alias: str) -> dict[str, Any]:
    name = EXTENSIONS[alias]
    return {
        "alias": alias,
        "name": name,
        "description": "",
        "namespace": "http://docs.openstack.org/compute/ext/fake_xml",
        "updated": "2014-12-03T00:00:00Z",
        "links": [],
    }


async def extensions(room: Room, call: Call) -> dict[str, Any]:
    return {"extensions": [_extension(alias) for alias in EXTENSIONS]}


async def extension(room: Room, call: Call) -> dict[str, Any]:
    alias = call.path["alias"]
    if alias not in EXTENSIONS:
        raise NotFound(f"Extension {alias[:60]} not found.")
    return {"extension": _extension(alias)}


ROOTS = (
    Endpoint("GET", "/", versions, open=True, name="versions"),
    Endpoint("GET", "/v2", old_version, open=True, name="old_version"),
    Endpoint("GET", "/v2.1", version, open=True, name="version"),
)
ROUTES = (
    Endpoint("GET", "/extensions", extensions, name="extensions"),
    Endpoint("GET", "/extensions/{alias}", extension, name="extension"),
    Endpoint("GET", "/versions/{id}", one_version, name="one_version"),
)
