"""Many servers asked of a simulated cloud at once: how long until all are ACTIVE, how fast others are answered.

Usage: python bench/burst.py [--servers N] [--nodes N] [--postgresql]

Every hundred servers belong to a project and a network of their own, as in a cloud with many tenants. The simulated
nodes live in the API's process: what is measured is the control plane and all agents together.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.api import Cloud
from tests.support.servers import postgresql

AT_ONCE = 100
"""Servers in one request, for one project."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=2)
    parser.add_argument("--postgresql", action="store_true")
    options = parser.parse_args()
    wanted = options.servers
    with postgresql() if options.postgresql else nullcontext("") as database:
        cloud = Cloud(database, options.nodes)
        try:
            idle = idle_cost(cloud)
            latencies, seconds, cpu = burst(cloud, wanted)
            memory = cloud.memory_mib()
        finally:
            cloud.end()
    latencies.sort()
    print(f"{options.nodes} nodes with nothing to do: {idle:.0f} ms CPU a second")
    print(
        f"{wanted} servers ACTIVE on {options.nodes} nodes after {seconds:.1f} s: {wanted / seconds:.0f} placements a "
        f"second, {cpu / wanted:.1f} ms CPU each"
    )
    print(
        f"GET /flavors meanwhile, {len(latencies)} times: median {statistics.median(latencies):.1f} ms, "
        f"p99 {latencies[int(len(latencies) * 0.99)]:.1f} ms, worst {latencies[-1]:.1f} ms"
    )
    print(f"memory of the API process with all of them: {memory:.0f} MiB")


def idle_cost(cloud: Cloud, seconds: float = 10.0) -> float:
    """CPU ms a second while nobody asks for anything, once the nodes have joined."""
    time.sleep(5)
    before = cloud.cpu_ms()
    time.sleep(seconds)
    return (cloud.cpu_ms() - before) / seconds


class Tenant:
    """A project with a network of its own, and a token to act there."""

    def __init__(self, cloud: Cloud, number: int) -> None:
        self._cloud = cloud
        call = cloud.call
        self.id = call("POST", "/v3/projects", {"project": {"name": f"tenant{number}"}})["project"]["id"]
        admin = next(role["id"] for role in call("GET", "/v3/roles")["roles"] if role["name"] == "admin")
        call("PUT", f"/v3/projects/{self.id}/users/{cloud.user}/roles/{admin}")
        self._token = cloud.enter(self.id)
        quota = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
        self.call("PUT", f"/compute/v2.1/os-quota-sets/{self.id}", quota)
        network = self.call("POST", "/network/v2.0/networks", {"network": {"name": "own"}})["network"]["id"]
        subnet = {"network_id": network, "cidr": "10.64.0.0/16", "ip_version": 4}
        self.call("POST", "/network/v2.0/subnets", {"subnet": subnet})
        self.network: str = network

    def call(self, method: str, path: str, body: Any = None) -> Any:
        return self._cloud.call(method, path, body, **{"X-Auth-Token": self._token})


def burst(cloud: Cloud, wanted: int) -> tuple[list[float], float, float]:
    """(latencies of other requests in ms, seconds until all are ACTIVE, CPU ms spent)."""
    call = cloud.call
    image = call("GET", "/image/v2/images")["images"][0]["id"]
    tenants = [Tenant(cloud, number) for number in range(-(-wanted // AT_ONCE))]
    cpu, began = cloud.cpu_ms(), time.monotonic()
    for tenant in tenants:
        server = {"name": "s", "imageRef": image, "flavorRef": "42", "networks": [{"uuid": tenant.network}]}
        many = {**server, "min_count": AT_ONCE, "max_count": AT_ONCE}
        tenant.call("POST", "/compute/v2.1/servers", {"server": many})
    latencies: list[float] = []
    looked = 0.0
    while tenants:
        before = time.monotonic()
        call("GET", "/compute/v2.1/flavors")
        latencies.append((time.monotonic() - before) * 1000)
        if before - looked > 1:
            looked = before
            while tenants and is_done(tenants[0]):
                tenants.pop(0)
        time.sleep(0.002)
    return latencies, time.monotonic() - began, cloud.cpu_ms() - cpu


def is_done(tenant: Tenant) -> bool:
    """All of its servers are ACTIVE."""
    found = tenant.call("GET", f"/compute/v2.1/servers?status=ACTIVE&limit={AT_ONCE}")["servers"]
    return len(found) == AT_ONCE


if __name__ == "__main__":
    main()
