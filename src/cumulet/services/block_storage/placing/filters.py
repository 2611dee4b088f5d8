"""Which pools can take a volume. Each filter says why not, or nothing. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cumulet.lib.spec_operators import compare
from cumulet.services.block_storage.placing.expressions import BadExpression, value_of
from cumulet.services.block_storage.placing.pools import Candidate, Request

Filter = Callable[[Candidate, Request], str]


def service(pool: Candidate, request: Request) -> str:
    if not pool.alive:
        return "it is not heard from"
    if pool.fault:
        return pool.fault
    return "it is disabled" if pool.disabled else ""


def availability_zone(pool: Candidate, request: Request) -> str:
    if not request.zone or request.zone in pool.zones:
        return ""
    return f"it is in zone {', '.join(sorted(pool.zones))}"


def capabilities(pool: Candidate, request: Request) -> str:
    if request.only and pool.name != request.only:
        return f"{request.only} was asked for"
    if request.source and pool.name != request.source:
        return f"the source lives on {request.source}"
    if lacking := request.needs & pool.lacks:
        return f"its volumes have no {' and no '.join(sorted(lacking))}"
    return missing(request.specs, pool.capabilities)


def missing(specs: Mapping[str, str], offers: Mapping[str, Any]) -> str:
    """What extra specs ask for that is not offered, as a sentence; empty: nothing."""
    for key, wanted in specs.items():
        scope, separator, name = key.partition(":")
        if separator and scope != "capabilities":
            continue  # words for others than the placing of volumes
        name = name if separator else key
        if name not in offers:
            return f"the type asks for {name} = {wanted!r}; the backend has no such thing"
        found = str(offers[name])
        fits = compare(found, wanted)
        if not (found == wanted if fits is None else fits):
            return f"the type asks for {name} = {wanted!r}; the backend has {found!r}"
    return ""


def capacity(pool: Candidate, request: Request) -> str:
    if request.size <= pool.promisable_gib or pool.name == request.here:
        return ""
    return f"{int(pool.promisable_gib)} GiB are free of {pool.total_gib}"


def driver(pool: Candidate, request: Request) -> str:
    if not pool.filter_function:
        return ""
    try:
        passes = value_of(pool.filter_function, known(pool, request))
    except BadExpression as error:
        return f"its filter_function cannot be used: {error}"
    return "" if passes else f"its filter_function says no: {pool.filter_function}"


def known(pool: Candidate, request: Request) -> dict[str, Mapping[str, Any]]:
    """What an expression may speak of."""
    stats = {
        "host": pool.name.partition("#")[0],
        "volume_backend_name": pool.capabilities.get("volume_backend_name", ""),
        "total_capacity_gb": pool.total_gib,
        "free_capacity_gb": pool.promisable_gib,
        "allocated_capacity_gb": pool.given_out_gib,
        "reserved_percentage": pool.reserved_percentage,
    }
    return {**request.facts, "stats": stats, "capabilities": {**pool.capabilities, **stats}}


def instance_locality(pool: Candidate, request: Request) -> str:
    if request.near is None or request.near in pool.nodes:
        return ""
    return f"the server is on {request.near}" if request.near else "the server it should be near is on no node"


def same_backend(pool: Candidate, request: Request) -> str:
    if not request.beside or request.beside == {pool.name}:
        return ""
    return f"it should be with volumes on {', '.join(sorted(request.beside))}"


def different_backend(pool: Candidate, request: Request) -> str:
    return "a volume that it should be apart from is here" if pool.name in request.apart else ""


def retry(pool: Candidate, request: Request) -> str:
    why = request.tried.get(pool.name)
    return "" if why is None else f"it failed here: {why}"


FILTERS: Mapping[str, Filter] = {
    "ServiceFilter": service,
    "RetryFilter": retry,
    "AvailabilityZoneFilter": availability_zone,
    "CapabilitiesFilter": capabilities,
    "CapacityFilter": capacity,
    "DriverFilter": driver,
    "InstanceLocalityFilter": instance_locality,
    "SameBackendFilter": same_backend,
    "DifferentBackendFilter": different_backend,
}
