"""Runs in Tempest's virtual environment: asks a cloud what it offers, makes what the tests need, writes their settings.

Services come from the catalog, versions from version discovery, extensions from the API; what an API cannot tell is in
the profile. A service that cannot be prepared is noted and does not stop the rest: that is a result, not a mistake.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable
from pathlib import Path

import images  # type: ignore[import-not-found]  # these two lie beside this file, which runs outside the package
import keystoneauth1.exceptions
import openstack
from preparation import SERVICES, Preparation, parser_of  # type: ignore[import-not-found]

SHARED_TYPE = "verify-multiattach"
COMPUTE_LIMITS = ("servers", "class:VCPU", "class:MEMORY_MB", "class:DISK_GB")
FLAVORS = (("verify.1", 0, 1), ("verify.2", 64, 2))  # name, more memory than asked for (MiB), disk (GiB)


class WholeCloud(Preparation):  # type: ignore[misc]  # of a type that is not found
    """All services, one after the other."""

    def run(self) -> None:
        self.step(self.base)
        self.step(self.identity)
        for service, prepare in {
            "glance": self.image,
            "nova": self.compute,
            "neutron": self.network,
            "cinder": self.volume,
            "swift": self.object_storage,
            "placement": self.placement,
            "heat": self.orchestration,
        }.items():
            if self.types[service]:
                self.step(prepare)

    def base(self) -> None:
        options, access = self.options, self.access
        sign_in = self.cloud.config.get_auth_args()
        region = self.cloud.config.get_region_name() or "RegionOne"
        verify, _ = self.cloud.config.get_requests_verify_args()
        uri = sign_in["auth_url"].rstrip("/").removesuffix("/v3")
        folder = Path(options.workspace)
        self.put(
            "DEFAULT",
            debug=True,
            use_stderr=False,
            log_dir=folder / "logs",
            log_file="tempest.log",
            resource_name_prefix="tempest",
        )
        self.put("oslo_concurrency", lock_path=folder / "locks")
        self.put(
            "auth",
            use_dynamic_credentials=True,
            tempest_roles="",
            admin_username=access.username,
            admin_password=sign_in["password"],
            admin_project_name=access.project_name,
            admin_domain_name=access.user_domain_name,
            admin_user_domain_name=access.user_domain_name,
            admin_project_domain_name=access.project_domain_name,
            admin_system="all",
            default_credentials_domain_name=access.user_domain_name,
            create_isolated_networks=bool(self.types["neutron"]),
        )
        self.put(
            "identity",
            auth_version="v3",
            uri_v3=f"{uri}/v3",
            uri=f"{uri}/v2.0",
            region=region,
            v3_endpoint_type="public",
            catalog_type="identity",
            default_domain_id=access.user_domain_id,
            disable_ssl_certificate_validation=verify is False,
            ca_certificates_file=verify if isinstance(verify, str) else None,
        )
        self.put(
            "validation",
            run_validation=options.guests,
            connect_method="floating",
            auth_method="keypair",
            security_group=True,
            security_group_rules=True,
            ping_timeout=180,
            ssh_timeout=400,
            image_alt_ssh_user=images.GUEST_LOGIN["image_ssh_user"],
            image_alt_ssh_password=images.GUEST_LOGIN["image_ssh_password"],
            **images.GUEST_LOGIN,
        )
        self.put("scenario", dhcp_client="udhcpc", img_file=options.image)
        self.put("service_available", horizon=False, ironic=False)
        for service, (section, _) in SERVICES.items():
            kind = self.types[service]
            if service != "placement":
                self.put("service_available", **{service: bool(kind)})
            if kind:
                self.put(section, catalog_type=kind, region=region)

    def identity(self) -> None:
        existing = {role.name for role in self.cloud.identity.roles()}
        wanted = ["member", "reader"]
        if self.types["swift"]:
            wanted.append("ResellerAdmin")
        if self.types["heat"]:
            wanted.append("heat_stack_owner")
        for name in wanted:
            if name not in existing:
                self.cloud.identity.create_role(name=name)
        self.put("object-storage", operator_role="member", reseller_admin_role="ResellerAdmin")

    def image(self) -> None:
        images.prepare(self)

    def compute(self) -> None:
        compute = self.cloud.compute
        self.versions("compute", "compute")
        ids = []
        for name, more, disk in FLAVORS:
            flavor = compute.find_flavor(name) or compute.create_flavor(
                name=name, ram=self.options.memory + more, vcpus=1, disk=disk
            )
            ids.append(flavor.id)
        self.put("compute", flavor_ref=ids[0], flavor_ref_alt=ids[1])
        self.put("heat_plugin", instance_type=FLAVORS[1][0], minimal_instance_type=FLAVORS[0][0])
        # They would take the place of the quotas, so only where somebody says that this is how the cloud is limited.
        if self.given.getboolean("compute-feature-enabled", "unified_limits", fallback=False):
            self.register_limits("nova", COMPUTE_LIMITS)
        hosts = [
            service
            for service in compute.services()
            if service.binary == "nova-compute" and service.state == "up" and service.status == "enabled"
        ]
        several = len(hosts) >= 2
        if several:
            self.put("compute", migration_source_host=hosts[0].host, migration_dest_host=hosts[1].host)
        kinds = sorted({hypervisor.hypervisor_type for hypervisor in compute.hypervisors(details=True)})
        self.put("compute", min_compute_nodes=len(hosts), hypervisor_type=kinds[0] if kinds else None)
        self.put(
            "compute-feature-enabled",
            live_migration=several,
            cold_migration=several,
            shelve_migrate=several,
            block_migration_for_live_migration=several,
            can_migrate_between_any_hosts=several,
            live_migrate_back_and_forth=several,
            volume_backed_live_migration=several,
        )

    def network(self) -> None:
        network = self.cloud.network
        aliases = sorted(extension.alias for extension in network.extensions())
        self.put("network-feature-enabled", api_extensions=",".join(aliases))
        external = sorted(
            network.networks(is_router_external=True), key=lambda found: (not found.is_default, found.name)
        )
        if not external:
            raise LookupError("the cloud has no external network")
        public = external[0]
        self.put(
            "network",
            public_network_id=public.id,
            floating_network_name=public.name,
            project_networks_reachable=False,
        )
        self.put("network-feature-enabled", qos_placement_physnet=public.provider_physical_network)
        self.put("validation", network_for_ssh=public.name)
        for subnet in network.subnets(network_id=public.id, ip_version=4):
            self.put("validation", floating_ip_range=subnet.cidr)
        self.put(
            "neutron_plugin_options",
            available_type_drivers="flat,vlan,vxlan,local",
            provider_vlans=public.provider_physical_network,
            create_shared_resources=True,
            l3_agent_mode="legacy",
            firewall_driver="openvswitch",
        )
        zones = {agent.availability_zone for agent in network.agents()} - {None}
        if len(zones) == 1:
            self.put("neutron_plugin_options", agent_availability_zone=zones.pop())

    def volume(self) -> None:
        storage = self.cloud.block_storage
        self.versions("volume", str(self.types["cinder"]))
        extensions = storage.get("/extensions").json().get("extensions", [])
        aliases = ",".join(sorted(extension["alias"] for extension in extensions))
        self.put("volume-feature-enabled", api_extensions=aliases or "all")
        pools = [pool.capabilities or {} for pool in storage.backend_pools()]
        backends = sorted({pool["volume_backend_name"] for pool in pools if pool.get("volume_backend_name")})
        self.put("volume-feature-enabled", multi_backend=len(backends) >= 2)
        self.put("volume", backend_names=",".join(backends), volume_size=1)
        for pool in pools[:1]:
            self.put(
                "volume", vendor_name=pool.get("vendor_name"), storage_protocol=first(pool.get("storage_protocol"))
            )
        shared = [kind.name for kind in storage.types() if (kind.extra_specs or {}).get("multiattach") == "<is> True"]
        if not shared:
            kind = storage.create_type(name=SHARED_TYPE)
            storage.update_type_extra_specs(kind, multiattach="<is> True")
            shared = [SHARED_TYPE]
        self.put("volume", volume_type_multiattach=first(shared))

    def object_storage(self) -> None:
        endpoint = self.cloud.session.get_endpoint(service_type="object-store", interface="public")
        answer = self.cloud.session.get(f"{endpoint.split('/v1')[0]}/info", raise_exc=False, authenticated=False)
        if answer.status_code == 200:
            abilities = sorted(set(answer.json()) - {"swift"})
            self.put("object-storage-feature-enabled", discoverable_apis=",".join(abilities), discoverability=True)

    def placement(self) -> None:
        self.versions("placement", "placement")

    def orchestration(self) -> None:
        sign_in = {name: self.settings["auth"][f"admin_{name}"] for name in ("username", "password", "project_name")}
        self.put(
            "heat_plugin",
            **sign_in,
            admin_username=sign_in["username"],
            admin_password=sign_in["password"],
            auth_url=self.settings["identity"]["uri_v3"],
            user_domain_name=self.access.user_domain_name,
            project_domain_name=self.access.project_domain_name,
            auth_version="3",
        )

    def write(self) -> None:
        settings = parser_of()
        settings.read_dict(self.settings)
        settings.read([self.options.profile, *self.options.overrides])
        folder = Path(self.options.workspace)
        (folder / "etc").mkdir(exist_ok=True)
        # It holds the password of an administrator.
        descriptor = os.open(folder / "etc" / "tempest.conf", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            settings.write(file)
        offered = [service for service, kind in self.types.items() if kind]
        (folder / "cloud.json").write_text(json.dumps({"services": offered, "problems": self.problems}))
        print("prepare: the cloud offers identity" + "".join(f", {service}" for service in offered), flush=True)


def first(value: Iterable[str] | str | None) -> str | None:
    return value if value is None or isinstance(value, str) else next(iter(value), None)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workspace", required=True)
    parser.add_argument("--os-cloud")
    parser.add_argument("--image")
    parser.add_argument("--memory", type=int, required=True)
    parser.add_argument("--guests", action="store_true")
    parser.add_argument("--profile", required=True)
    parser.add_argument("--overrides", action="append", default=[])
    preparation = WholeCloud(parser.parse_args())
    preparation.run()
    preparation.write()


if __name__ == "__main__":
    try:
        main()
    except (openstack.exceptions.SDKException, keystoneauth1.exceptions.ClientException) as error:
        sys.exit(f"prepare: {error}")
