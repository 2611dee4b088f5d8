"""CPU per request of a simulated cloud, beside the real services. Usage: python bench/api.py [--postgresql].

With --postgresql the database is a server started for the run, and the CPU of all its processes is counted too.
"""

from __future__ import annotations

import argparse
import http.client
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from tests.support.servers import free_port, postgresql

TICK = os.sysconf("SC_CLK_TCK")
PEERS = {  # CPU ms a request: newest releases of the real services on 2 cores, database and broker included
    "token: validate": 4.0,
    "token: rescope": 4.0,
    "token: password": 238.0,
    "user: show": 4.9,
    "users: list 1,000": 173.0,
    "project: create": 29.0,
    "image: show": 3.8,
    "images: list 25": 11.6,
    "network: create": 51.0,
    "port: create": 149.0,
    "port: show": 11.7,
    "ports: list 1,000": 645.0,
    "server: show": 52.0,
    "servers: list brief, 500": 756.0,
    "servers: list detail, 500": 1722.0,
    "server: create → ACTIVE": 1184.0,
    "volume: show": 8.0,
    "volume: create": 125.0,
}
HASHED = {"token: password"}
"""What a password hash costs depends on the hash; stated apart."""


def cpu_ticks(pid: str) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def of_our_own(program: str) -> list[str]:
    """The processes of a program that came of this one: other servers of the machine work for others."""
    parents: dict[int, int] = {}
    names: dict[int, str] = {}
    for place in Path("/proc").glob("[0-9]*"):
        try:
            name, _, rest = place.joinpath("stat").read_text().partition("(")[2].rpartition(")")
        except FileNotFoundError:
            continue
        parents[int(place.name)], names[int(place.name)] = int(rest.split()[1]), name

    def ours(pid: int) -> bool:
        return pid == os.getpid() or (pid in parents and ours(parents[pid]))

    return [str(pid) for pid, name in names.items() if name == program and ours(pid)]


class Cloud:
    """A simulated cloud in a process of its own."""

    def __init__(self, database: str, nodes: int = 2) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="cumulet-bench-")
        self.port = free_port()
        self.state = Path(self.folder.name) / "state"
        self.command = [sys.executable, "-m", "cumulet"]
        self.options = ["--simulate", "--state", str(self.state), "--port", str(self.port)]
        self.environment = {**os.environ, "CUMULET_SIMULATED_NODES": str(nodes)}
        if database:
            self.options += ["--database", database]
        self.cumulet("up", *self.options)
        self.cumulet("down", "--state", str(self.state))
        began = time.monotonic()
        self.cumulet("up", *self.options)
        self.token = self._token()
        self.start_seconds = time.monotonic() - began
        self.pid = int((self.state / "run" / "serve.lock").read_text())
        self.has_server = bool(database)
        self._connection = http.client.HTTPConnection("127.0.0.1", self.port)

    def rest(self) -> None:
        """Let the connection go that the API closes when nothing comes for a while; the next question opens another."""
        self._connection.close()

    def cumulet(self, *arguments: str) -> None:
        command = [*self.command, *arguments]
        subprocess.run(command, check=True, capture_output=True, timeout=120, env=self.environment)

    def _token(self) -> str:
        password = (self.state / "admin-password").read_text()
        user = {"name": "admin", "domain": {"id": "default"}, "password": password}
        self.login = {
            "auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": "admin", "domain": {"id": "default"}}},
            }
        }
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        body = json.dumps(self.login)
        connection.request("POST", "/v3/auth/tokens", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        self.user = json.load(answer)["token"]["user"]["id"]
        return str(answer.headers["X-Subject-Token"])

    def enter(self, project_id: str) -> str:
        """A token for this project, made of the first one."""
        identity = {"methods": ["token"], "token": {"id": self.token}}
        body = json.dumps({"auth": {"identity": identity, "scope": {"project": {"id": project_id}}}})
        self._connection.request("POST", "/v3/auth/tokens", body, {"Content-Type": "application/json"})
        answer = self._connection.getresponse()
        answer.read()
        return str(answer.headers["X-Subject-Token"])

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        text = json.dumps(body) if body is not None else None
        sent = {"X-Auth-Token": self.token, "Content-Type": "application/json", **headers}
        self._connection.request(method, path, text, sent)
        answer = self._connection.getresponse()
        raw = answer.read()
        assert answer.status < 300, (method, path, answer.status, raw[:500])
        return json.loads(raw) if raw else None

    def cpu_ms(self) -> float:
        """CPU so far of our process, and of the database server's where there is one."""
        server = of_our_own("postgres") if self.has_server else []
        return sum(map(cpu_ticks, [str(self.pid), *server])) * 1000 / TICK

    def memory_mib(self) -> float:
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
        return math.nan

    def each(self, times: int, work: Callable[[int], Any]) -> float:
        """CPU milliseconds of one of so many calls, warmed up."""
        for number in range(max(2, times // 20)):
            work(-1 - number)
        before = self.cpu_ms()
        for number in range(times):
            work(number)
        return (self.cpu_ms() - before) / times

    def end(self) -> None:
        self.cumulet("down", "--state", str(self.state))
        self.folder.cleanup()


def measure(cloud: Cloud) -> dict[str, float]:
    """Every row of the table."""
    call = cloud.call
    rows: dict[str, float] = {}
    subject = {"X-Subject-Token": cloud.token}
    rows["token: validate"] = cloud.each(500, lambda n: call("GET", "/v3/auth/tokens", **subject))
    rescope = {"auth": {**cloud.login["auth"], "identity": {"methods": ["token"], "token": {"id": cloud.token}}}}
    rows["token: rescope"] = cloud.each(300, lambda n: call("POST", "/v3/auth/tokens", rescope))
    rows["token: password"] = cloud.each(20, lambda n: call("POST", "/v3/auth/tokens", cloud.login))
    rows["user: show"] = cloud.each(500, lambda n: call("GET", f"/v3/users/{cloud.user}"))
    for number in range(1000):
        call("POST", "/v3/users", {"user": {"name": f"u{number}", "email": f"u{number}@example.org"}})
    rows["users: list 1,000"] = cloud.each(20, lambda n: call("GET", "/v3/users?limit=1000"))
    rows["project: create"] = cloud.each(200, lambda n: call("POST", "/v3/projects", {"project": {"name": f"p{n}"}}))
    image = call("GET", "/image/v2/images")["images"][0]["id"]
    rows["image: show"] = cloud.each(500, lambda n: call("GET", f"/image/v2/images/{image}"))
    for number in range(25):
        call("POST", "/image/v2/images", {"name": f"i{number}", "disk_format": "raw", "container_format": "bare"})
    rows["images: list 25"] = cloud.each(200, lambda n: call("GET", "/image/v2/images?limit=25"))
    call("PUT", f"/network/v2.0/quotas/{project(cloud)}", {"quota": {"network": -1, "port": -1, "subnet": -1}})
    rows["network: create"] = cloud.each(
        100, lambda n: call("POST", "/network/v2.0/networks", {"network": {"name": f"n{n}"}})
    )
    network = call("POST", "/network/v2.0/networks", {"network": {"name": "wide"}})["network"]["id"]
    subnet = {"network_id": network, "cidr": "10.64.0.0/16", "ip_version": 4}
    call("POST", "/network/v2.0/subnets", {"subnet": subnet})
    port = {"port": {"network_id": network}}
    rows["port: create"] = cloud.each(1000, lambda n: call("POST", "/network/v2.0/ports", port))
    shown = call("GET", "/network/v2.0/ports?limit=1")["ports"][0]["id"]
    rows["port: show"] = cloud.each(300, lambda n: call("GET", f"/network/v2.0/ports/{shown}"))
    rows["ports: list 1,000"] = cloud.each(20, lambda n: call("GET", "/network/v2.0/ports?limit=1000"))
    measure_servers(cloud, rows, image, network)
    call("PUT", f"/volume/v3/os-quota-sets/{project(cloud)}", {"quota_set": {"volumes": -1, "gigabytes": -1}})
    rows["volume: create"] = cloud.each(
        100, lambda n: call("POST", "/volume/v3/volumes", {"volume": {"size": 1, "name": f"v{n}"}})
    )
    volume = call("GET", "/volume/v3/volumes")["volumes"][0]["id"]
    rows["volume: show"] = cloud.each(300, lambda n: call("GET", f"/volume/v3/volumes/{volume}"))
    return rows


def measure_servers(cloud: Cloud, rows: dict[str, float], image: str, network: str) -> None:
    call = cloud.call
    quota = {"quota_set": {"instances": -1, "cores": -1, "ram": -1}}
    call("PUT", f"/compute/v2.1/os-quota-sets/{project(cloud)}", quota)
    server = {"name": "s", "imageRef": image, "flavorRef": "42", "networks": [{"uuid": network}]}
    before = cloud.cpu_ms()
    for _ in range(500):
        call("POST", "/compute/v2.1/servers", {"server": server})
    while len(call("GET", "/compute/v2.1/servers?status=ACTIVE&limit=1000")["servers"]) < 500:
        time.sleep(0.2)
    rows["server: create → ACTIVE"] = (cloud.cpu_ms() - before) / 500
    newest = {"OpenStack-API-Version": "compute 2.96"}
    one = call("GET", "/compute/v2.1/servers?limit=1")["servers"][0]["id"]
    rows["server: show"] = cloud.each(300, lambda n: call("GET", f"/compute/v2.1/servers/{one}", **newest))
    rows["servers: list brief, 500"] = cloud.each(30, lambda n: call("GET", "/compute/v2.1/servers?limit=500"))
    rows["servers: list detail, 500"] = cloud.each(
        30, lambda n: call("GET", "/compute/v2.1/servers/detail?limit=500", **newest)
    )


def project(cloud: Cloud) -> str:
    token = cloud.call("GET", "/v3/auth/tokens", **{"X-Subject-Token": cloud.token})["token"]
    return str(token["project"]["id"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--postgresql", action="store_true")
    with postgresql() if parser.parse_args().postgresql else nullcontext("") as database:
        cloud = Cloud(database)
        try:
            idle = cloud.memory_mib()
            rows = measure(cloud)
        finally:
            cloud.end()
    print(f"{'operation':<28}{'ours, ms':>10}{'real, ms':>10}{'ratio':>9}")
    for name, ours in rows.items():
        print(f"{name:<28}{ours:>10.2f}{PEERS[name]:>10.1f}{PEERS[name] / ours:>8.0f}×")
    compared = [math.log(PEERS[name] / ours) for name, ours in rows.items() if name not in HASHED]
    print(f"geometric mean of {len(compared)} (hashing aside): {math.exp(sum(compared) / len(compared)):.0f}×")
    print(f"second start to first token: {cloud.start_seconds:.2f} s (limit 2)")
    print(f"idle memory of the API process: {idle:.0f} MiB (limit 200 for everything)")


if __name__ == "__main__":
    main()
