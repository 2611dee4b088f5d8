"""Why a host cannot take a server. Each filter answers with a reason, or with nothing; under names operators know."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatch

from cumulet.lib.spec_operators import compare
from cumulet.services.compute.placing.hosts import Host, Request

Filter = Callable[[Host, Request], str]


def compute(host: Host, request: Request) -> str:
    if host.disabled:
        return "it is disabled"
    return "" if host.alive else "it has not been heard of lately"


def availability_zone(host: Host, request: Request) -> str:
    if request.zone and request.zone != host.zone:
        return f"it is in zone {host.zone}, not {request.zone}"
    return ""


def requested_host(host: Host, request: Request) -> str:
    if request.host and request.host != host.name:
        return f"only {request.host} was asked for"
    return "the server moves away from it, or is not gone from it yet" if host.name in request.avoid else ""


def volumes(host: Host, request: Request) -> str:
    elsewhere = sorted(request.bound - {host.name})
    return f"volumes of it lie on {', '.join(elsewhere)}, and no other host reaches them" if elsewhere else ""


def resources(host: Host, request: Request) -> str:
    wanted = sorted(request.resources.items())
    large = [f"{name} {amount} > {host.most[name]}" for name, amount in wanted if amount > host.most.get(name, amount)]
    if large:
        return f"no server gets so much of it ({', '.join(large)})"
    short = [
        f"{name} {amount} > {max(0, int(host.free.get(name, 0)))}"
        for name, amount in wanted
        if amount > host.free.get(name, 0)
    ]
    return f"too little is free ({', '.join(short)})" if short else ""


def port_resources(host: Host, request: Request) -> str:
    return request.short.get(host.name, "")


def routed_networks(host: Host, request: Request) -> str:
    return request.apart.get(host.name, "")


def compute_capabilities(host: Host, request: Request) -> str:
    known = {"hypervisor_type": host.hypervisor, "cpu_info:arch": host.architecture}
    for key, wanted in request.extra_specs.items():
        scope, _, name = key.rpartition(":")
        if scope not in ("capabilities",) and not key.startswith("capabilities:"):
            continue
        name = key.removeprefix("capabilities:")
        if not matches(known.get(name), wanted):
            return f"its {name} is not {wanted}"
    for key, wanted in request.extra_specs.items():
        if key.startswith("trait:"):
            has = key.removeprefix("trait:") in host.traits
            if (wanted == "required") != has and wanted in ("required", "forbidden"):
                return f"the trait {key.removeprefix('trait:')} is {wanted}"
    return ""


def image_properties(host: Host, request: Request) -> str:
    architecture = request.image_properties.get("hw_architecture") or request.image_properties.get("architecture")
    if architecture and architecture != host.architecture:
        return f"the image is for {architecture}, the host is {host.architecture}"
    kind = request.image_properties.get("img_hv_type") or request.image_properties.get("hypervisor_type")
    if kind and kind.lower() not in (host.hypervisor, "qemu", "kvm"):
        return f"the image is for the hypervisor {kind}"
    return ""


def aggregate_extra_specs(host: Host, request: Request) -> str:
    prefix = "aggregate_instance_extra_specs:"
    for key, wanted in request.extra_specs.items():
        name = key.removeprefix(prefix)
        if name == key:
            continue
        values = [aggregate.metadata[name] for aggregate in host.aggregates if name in aggregate.metadata]
        if not any(matches(value, wanted) for value in values):
            return f"no aggregate of it has {name} {wanted}"
    return ""


def aggregate_tenants(host: Host, request: Request) -> str:
    """An aggregate with `filter_tenant_id` takes only servers of these projects."""
    named = [
        value
        for aggregate in host.aggregates
        for key, value in aggregate.metadata.items()
        if key.startswith("filter_tenant_id")
    ]
    projects = {project.strip() for value in named for project in value.split(",")}
    return "its aggregate is kept for other projects" if projects and request.project_id not in projects else ""


def same_host(host: Host, request: Request) -> str:
    if request.same_host and not request.same_host & host.servers:
        return "none of the servers that it should be with is here"
    return ""


def different_host(host: Host, request: Request) -> str:
    return "a server that it should be apart from is here" if request.different_host & host.servers else ""


def anti_affinity(host: Host, request: Request) -> str:
    if request.policy != "anti-affinity":
        return ""
    here = len(request.group_members & host.servers)
    return f"{here} of its group are here already" if here >= request.max_per_host else ""


def affinity(host: Host, request: Request) -> str:
    if request.policy != "affinity" or not request.group_members:
        return ""
    return "" if request.group_members & host.servers else "its group is on another host"


FILTERS: dict[str, Filter] = {
    "ComputeFilter": compute,
    "AvailabilityZoneFilter": availability_zone,
    "RequestedHostFilter": requested_host,
    "VolumeFilter": volumes,
    "ResourceFilter": resources,
    "PortResourceFilter": port_resources,
    "RoutedNetworkFilter": routed_networks,
    "ComputeCapabilitiesFilter": compute_capabilities,
    "ImagePropertiesFilter": image_properties,
    "AggregateInstanceExtraSpecsFilter": aggregate_extra_specs,
    "AggregateMultiTenancyIsolation": aggregate_tenants,
    "SameHostFilter": same_host,
    "DifferentHostFilter": different_host,
    "ServerGroupAntiAffinityFilter": anti_affinity,
    "ServerGroupAffinityFilter": affinity,
}


def matches(value: str | None, wanted: str) -> bool:
    """Compare as extra specs do: `<in> word`, `<or> a <or> b`, `>= 3`, `!= x`, or the text itself."""
    if value is None:
        return False
    found = compare(value, wanted)
    return fnmatch(value, wanted) if found is None else found
