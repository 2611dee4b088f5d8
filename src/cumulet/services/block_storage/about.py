"""What this service says of itself: its extensions, and by what its lists can be filtered."""

from __future__ import annotations

from typing import Any

from cumulet.core.web.call import Call
from cumulet.core.web.resource import Endpoint
from cumulet.services.block_storage.room import BlockStorage

UPDATED = "2026-01-01T00:00:00+00:00"
EXTENSIONS = {
    "backups": ("Backups", "Backups support."),
    "capabilities": ("Capabilities", "Capabilities support."),
    "os-admin-actions": ("AdminActions", "Enable admin actions."),
    "os-availability-zone": ("AvailabilityZones", "Describe Availability Zones."),
    "os-extended-snapshot-attributes": ("ExtendedSnapshotAttributes", "Extended SnapshotAttributes support."),
    "os-hosts": ("Hosts", "Admin-only host administration."),
    "os-image-create": ("CreateVolumeExtension", "Allow creating a volume from an image in the Create Volume API."),
    "os-quota-class-sets": ("QuotaClasses", "Quota classes management support."),
    "os-quota-sets": ("Quotas", "Quota management support."),
    "os-services": ("Services", "Services support."),
    "os-snapshot-actions": ("SnapshotActions", "Enable snapshot manager actions."),
    "os-types-extra-specs": ("TypesExtraSpecs", "Type extra specs support."),
    "os-types-manage": ("TypesManage", "Types manage support."),
    "os-used-limits": ("UsedLimits", "Provide data on limited resources that are being used."),
    "os-vol-host-attr": ("VolumeHostAttribute", "Expose host as an attribute of a volume."),
    "os-vol-image-meta": ("VolumeImageMetadata", "Show image metadata associated with the volume."),
    "os-vol-mig-status-attr": ("VolumeMigStatusAttribute", "Expose migration_status as an attribute of a volume."),
    "os-vol-tenant-attr": ("VolumeTenantAttribute", "Expose the internal project_id as an attribute of a volume."),
    "os-volume-actions": ("VolumeActions", "Enable volume actions."),
    "os-volume-encryption-metadata": ("VolumeEncryptionMetadata", "Volume encryption metadata retrieval support."),
    "os-volume-transfer": ("VolumeTransfer", "Volume transfer management support."),
    "os-volume-type-access": ("VolumeTypeAccess", "Volume type access support."),
    "encryption": ("VolumeTypeEncryption", "Encryption support for volume types."),
    "qos-specs": ("Qos_specs_manage", "QoS specs support."),
    "scheduler-stats": ("Scheduler_stats", "Scheduler stats support."),
}
FILTERS = {
    "volume": ["name", "status", "metadata", "bootable", "availability_zone", "group_id", "size", "project_id"],
    "snapshot": ["name", "status", "volume_id", "metadata", "project_id"],
    "backup": ["name", "status", "volume_id", "project_id"],
    "attachment": ["volume_id", "status", "instance_id", "attach_status", "project_id"],
    "message": ["resource_uuid", "resource_type", "event_id", "request_id", "message_level"],
    "volume_type": ["is_public", "extra_specs"],
    "pool": ["name"],
}


async def extensions(room: BlockStorage, call: Call) -> dict[str, Any]:
    return {
        "extensions": [
            {"alias": alias, "name": name, "description": description, "updated": UPDATED, "links": []}
            for alias, (name, description) in EXTENSIONS.items()
        ]
    }


async def resource_filters(room: BlockStorage, call: Call) -> dict[str, Any]:
    asked = call.request.one("resource")
    return {
        "resource_filters": [
            {"resource": resource, "filters": filters}
            for resource, filters in FILTERS.items()
            if asked in (None, resource)
        ]
    }


ROUTES = (
    Endpoint("GET", "/extensions", extensions, name="extensions"),
    Endpoint("GET", "/resource_filters", resource_filters, since="3.33", name="resource_filters"),
)
