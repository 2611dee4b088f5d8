"""What stands in the cloud that is asked for everything: one of most kinds of things, each made by a request."""

from __future__ import annotations

from typing import Any, NamedTuple


class Piece(NamedTuple):
    """A request; `$name` in it stands for the id of the piece of that name."""

    name: str
    room: str
    path: str
    body: Any = None
    method: str = "POST"
    persona: str = "member"
    version: str = ""
    after: float = 0
    """Seconds for what it stands on to be ready."""


def _by_admin(name: str, room: str, path: str, body: Any = None, method: str = "POST", version: str = "") -> Piece:
    return Piece(name, room, path, body, method, "admin", version)


IDENTITY = (
    _by_admin("group", "identity", "/groups", {"group": {"name": "builders"}}),
    _by_admin("", "identity", "/groups/$group/users/$user", method="PUT"),
    _by_admin("", "identity", "/projects/$project/groups/$group/roles/$role_reader", method="PUT"),
    _by_admin("", "identity", "/domains/default/users/$user/roles/$role_reader", method="PUT"),
    _by_admin("", "identity", "/system/users/$user/roles/$role_reader", method="PUT"),
    _by_admin("", "identity", "/OS-INHERIT/projects/$project/users/$user/roles/$role_reader/inherited_to_projects",
              method="PUT"),
    _by_admin("domain", "identity", "/domains", {"domain": {"name": "away", "enabled": False}}),
    _by_admin("", "identity", "/domains/$domain/config", {"config": {"identity": {"driver": "sql"}}}, "PUT"),
    _by_admin("child", "identity", "/projects", {"project": {"name": "child", "parent_id": "$project"}}),
    _by_admin("", "identity", "/projects/$child/tags/a", method="PUT"),
    _by_admin("role", "identity", "/roles", {"role": {"name": "gardener"}}),
    _by_admin("", "identity", "/roles/$role/implies/$role_reader", method="PUT"),
    _by_admin("region", "identity", "/regions", {"region": {"id": "north"}}),
    _by_admin("service", "identity", "/services", {"service": {"type": "garden", "name": "garden"}}),
    _by_admin("endpoint", "identity", "/endpoints", {
        "endpoint": {"service_id": "$service", "interface": "public", "url": "http://localhost/g", "region_id": "north"}
    }),
    _by_admin("", "identity", "/OS-EP-FILTER/projects/$project/endpoints/$endpoint", method="PUT"),
    _by_admin("endpoint_group", "identity", "/OS-EP-FILTER/endpoint_groups", {
        "endpoint_group": {"name": "g", "filters": {"interface": "public"}}
    }),
    _by_admin("", "identity", "/OS-EP-FILTER/endpoint_groups/$endpoint_group/projects/$project", method="PUT"),
    _by_admin("policy", "identity", "/policies", {"policy": {"blob": "{}", "type": "application/json"}}),
    _by_admin("", "identity", "/policies/$policy/OS-ENDPOINT-POLICY/endpoints/$endpoint", method="PUT"),
    _by_admin("", "identity", "/registered_limits", {
        "registered_limits": [{"service_id": "$service", "resource_name": "beds", "default_limit": 5}]
    }),
    _by_admin("", "identity", "/limits", {
        "limits": [
            {"service_id": "$service", "project_id": "$project", "resource_name": "beds", "resource_limit": 3}
        ]
    }),
    _by_admin("consumer", "identity", "/OS-OAUTH1/consumers", {"consumer": {"description": "c"}}),
    Piece("", "identity", "/OS-TRUST/trusts", {
        "trust": {
            "trustor_user_id": "$user", "trustee_user_id": "$admin", "project_id": "$project", "impersonation": False,
            "roles": [{"name": "member"}],
        }
    }),
    Piece("", "identity", "/users/$user/credentials/OS-EC2", {"tenant_id": "$project"}),
    Piece("", "identity", "/users/$user/application_credentials", {
        "application_credential": {
            "name": "bot", "access_rules": [{"path": "/v3/users", "method": "GET", "service": "identity"}]
        }
    }),
)  # fmt: skip

IMAGES = (
    Piece("queued", "image", "/images", {"name": "q", "disk_format": "raw", "container_format": "bare"}),
    Piece("shared", "image", "/images", {"name": "s", "visibility": "shared", "tags": ["a"], "colour": "red"}),
    Piece("", "image", "/images/$shared/members", {"member": "$boss"}),
    _by_admin("", "image", "/metadefs/namespaces", {"namespace": "garden", "visibility": "public"}),
    _by_admin("", "image", "/metadefs/namespaces/garden/objects", {"name": "bed"}),
    _by_admin("", "image", "/metadefs/namespaces/garden/properties", {"name": "a", "title": "A", "type": "string"}),
    _by_admin("", "image", "/metadefs/namespaces/garden/tags/a"),
    _by_admin("", "image", "/metadefs/namespaces/garden/resource_types", {"name": "OS::Glance::Image"}),
)

NETWORKS = (
    Piece("network", "network", "/networks", {"network": {"name": "blue"}}),
    Piece("subnet", "network", "/subnets", {
        "subnet": {"network_id": "$network", "cidr": "10.0.0.0/24", "ip_version": 4, "name": "s"}
    }),
    Piece("router", "network", "/routers", {
        "router": {"name": "r", "external_gateway_info": {"network_id": "$public"}}
    }),
    Piece("", "network", "/routers/$router/add_router_interface", {"subnet_id": "$subnet"}, "PUT"),
    Piece("port", "network", "/ports", {"port": {"network_id": "$network"}}),
    Piece("floatingip", "network", "/floatingips", {"floatingip": {"floating_network_id": "$public"}}),
    Piece("", "network", "/floatingips/$floatingip/tags/a", method="PUT"),
    Piece("", "network", "/floatingips/$floatingip/port_forwardings", {
        "port_forwarding": {
            "protocol": "tcp", "internal_port_id": "$port", "internal_port": 80, "external_port": 8080,
            "internal_ip_address": "10.0.0.3",
        }
    }),
    Piece("", "network", "/networks/$network/tags/a", method="PUT"),
    Piece("local_ip", "network", "/local_ips", {"local_ip": {"network_id": "$network"}}),
    Piece("", "network", "/local_ips/$local_ip/port_associations", {"port_association": {"fixed_port_id": "$port"}}),
    _by_admin("", "network", "/log/logs", {"log": {"resource_type": "security_group", "target_id": "$port"}}),
    Piece("pool", "network", "/subnetpools", {
        "subnetpool": {"name": "pool", "prefixes": ["10.9.0.0/16"], "default_prefixlen": 24}
    }),
    Piece("address_group", "network", "/address-groups", {
        "address_group": {"name": "g", "addresses": ["10.1.0.0/24"]}
    }),
    Piece("", "network", "/address-scopes", {"address_scope": {"name": "sc", "ip_version": 4}}),
    _by_admin("qos", "network", "/qos/policies", {"policy": {"name": "slow", "shared": True}}),
    _by_admin("", "network", "/qos/policies/$qos/bandwidth_limit_rules", {"bandwidth_limit_rule": {"max_kbps": 1000}}),
    _by_admin("", "network", "/qos/policies/$qos/dscp_marking_rules", {"dscp_marking_rule": {"dscp_mark": 26}}),
    Piece("", "network", "/rbac-policies", {
        "rbac_policy": {
            "object_type": "network", "object_id": "$network", "action": "access_as_shared", "target_tenant": "$boss"
        }
    }),
)  # fmt: skip

VOLUMES = (
    _by_admin("type", "block_storage", "/types", {"volume_type": {"name": "fast"}}),
    _by_admin("crypt", "block_storage", "/types", {"volume_type": {"name": "crypt", "extra_specs": {"a": "b"}}}),
    _by_admin("", "block_storage", "/types/$crypt/encryption", {
        "encryption": {"provider": "luks", "control_location": "front-end"}
    }),
    _by_admin("private", "block_storage", "/types", {
        "volume_type": {"name": "mine", "os-volume-type-access:is_public": False}
    }),
    _by_admin("", "block_storage", "/types/$private/action", {"addProjectAccess": {"project": "$project"}}),
    _by_admin("qos_specs", "block_storage", "/qos-specs", {"qos_specs": {"name": "q", "consumer": "front-end"}}),
    _by_admin("group_type", "block_storage", "/group_types", {
        "group_type": {"name": "gt", "group_specs": {"consistent_group_snapshot_enabled": "<is> True"}}
    }, version="3.11"),
    Piece("volume", "block_storage", "/volumes", {"volume": {"size": 1, "name": "v", "metadata": {"a": "b"}}}),
    Piece("given", "block_storage", "/volumes", {"volume": {"size": 1}}),
    Piece("used", "block_storage", "/volumes", {"volume": {"size": 1}}),
    Piece("group", "block_storage", "/groups", {
        "group": {"name": "g", "group_type": "$group_type", "volume_types": ["$type"]}
    }, version="3.13"),
    Piece("", "block_storage", "/snapshots", {
        "snapshot": {"volume_id": "$volume", "metadata": {"a": "b"}}
    }, after=15),
    Piece("", "block_storage", "/volume-transfers", {"transfer": {"volume_id": "$given"}}, version="3.55"),
    Piece("", "block_storage", "/volumes", {
        "volume": {"size": 1, "group_id": "$group", "volume_type": "$type"}
    }, version="3.13"),
    Piece("", "block_storage", "/group_snapshots", {
        "group_snapshot": {"group_id": "$group"}
    }, version="3.14", after=15),
    _by_admin("", "block_storage", "/default-types/$project", {"default_type": {"volume_type": "fast"}}, "PUT", "3.62"),
)  # fmt: skip

MACHINES = (
    Piece("key", "compute", "/os-keypairs", {"keypair": {"name": "k"}}),
    _by_admin("flavor", "compute", "/flavors", {"flavor": {"name": "f", "vcpus": 1, "ram": 64, "disk": 1, "id": "f1"}}),
    _by_admin("", "compute", "/flavors/f1/os-extra_specs", {"extra_specs": {"hw:cpu_policy": "shared"}}),
    _by_admin("aggregate", "compute", "/os-aggregates", {"aggregate": {"name": "a", "availability_zone": "z"}}),
    Piece("", "compute", "/os-server-groups", {"server_group": {"name": "sg", "policies": ["affinity"]}}),
    Piece("server", "compute", "/servers", {
        "server": {
            "name": "s", "imageRef": "$image", "flavorRef": "42", "key_name": "k", "metadata": {"a": "b"},
            "networks": [{"uuid": "$network"}],
        }
    }),
    Piece("still", "compute", "/servers", {
        "server": {"name": "still", "imageRef": "$image", "flavorRef": "42", "networks": "none"}
    }, version="2.52"),
    Piece("", "compute", "/servers/$server/tags/a", method="PUT", version="2.52", after=20),
    Piece("", "compute", "/servers/$server/os-volume_attachments", {"volumeAttachment": {"volumeId": "$used"}}),
    Piece("", "compute", "/servers/$still/action", {"os-stop": None}),
    _by_admin("", "compute", "/servers/$server/action", {"migrate": None}),
)  # fmt: skip

FURNITURE = (*IDENTITY, *IMAGES, *NETWORKS, *VOLUMES, *MACHINES)
