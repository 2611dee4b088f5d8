"""1,000 servers asked of a simulated cloud at once: how long until all are ACTIVE, how fast others are answered.

Usage: python bench/burst.py [--servers N] [--nodes N]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.api import Cloud, project

AT_ONCE = 100
"""Servers in one request; a thousand is ten requests."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=1000)
    parser.add_argument("--nodes", type=int, default=2)
    options = parser.parse_args()
    wanted = options.servers
    cloud = Cloud("", options.nodes)
    try:
        latencies, seconds, cpu = burst(cloud, wanted)
        memory = cloud.memory_mib()
    finally:
        cloud.end()
    latencies.sort()
    print(f"{wanted} servers ACTIVE on {options.nodes} nodes after {seconds:.1f} s, {cpu / wanted:.1f} ms CPU each")
    print(
        f"GET /flavors meanwhile, {len(latencies)} times: median {statistics.median(latencies):.1f} ms, "
        f"p99 {latencies[int(len(latencies) * 0.99)]:.1f} ms, worst {latencies[-1]:.1f} ms"
    )
    print(f"memory of the API process with all of them: {memory:.0f} MiB")


def burst(cloud: Cloud, wanted: int) -> tuple[list[float], float, float]:
    """(latencies of other requests in ms, seconds until all are ACTIVE, CPU ms spent)."""
    call = cloud.call
    image = call("GET", "/image/v2/images")["images"][0]["id"]
    quota = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
    call("PUT", f"/compute/v2.1/os-quota-sets/{project(cloud)}", quota)
    call("PUT", f"/network/v2.0/quotas/{project(cloud)}", {"quota": {"network": -1, "port": -1, "subnet": -1}})
    network = call("POST", "/network/v2.0/networks", {"network": {"name": "wide"}})["network"]["id"]
    call("POST", "/network/v2.0/subnets", {"subnet": {"network_id": network, "cidr": "10.64.0.0/16", "ip_version": 4}})
    server = {"name": "s", "imageRef": image, "flavorRef": "42", "networks": [{"uuid": network}]}
    cpu, began = cloud.cpu_ms(), time.monotonic()
    for _ in range(wanted // AT_ONCE):
        many = {**server, "min_count": AT_ONCE, "max_count": AT_ONCE}
        call("POST", "/compute/v2.1/servers", {"server": many})
    latencies: list[float] = []
    looked = 0.0
    while True:
        before = time.monotonic()
        call("GET", "/compute/v2.1/flavors")
        latencies.append((time.monotonic() - before) * 1000)
        if before - looked > 1:
            looked = before
            active = call("GET", f"/compute/v2.1/servers?status=ACTIVE&limit={wanted}")["servers"]
            if len(active) >= wanted:
                break
        time.sleep(0.002)
    seconds = time.monotonic() - began
    return latencies, seconds, cloud.cpu_ms() - cpu


if __name__ == "__main__":
    main()
