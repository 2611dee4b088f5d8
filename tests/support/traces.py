"""All that a cloud's resources leave in the world: to see that nothing of them is left when they are deleted."""

from __future__ import annotations

import re
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.support.real_cloud import Cloud, Host, eventually

HISTORY = re.compile(
    r"compute_instance_actions|compute_moves|compute_console_tokens|.*_templates|identity_.*|quota_usages|fleet_nodes"
)
"""Tables that remember what is gone, or hold what ends by its own time or is not a resource."""
LINK = re.compile(r"^\d+: ([^:@]+)", re.MULTILINE)
GUEST_PROGRAMS = ("qemu-system-x86_64", "dnsmasq", "qemu-storage-daemon", "qemu-nbd")


def traces(cloud: Cloud) -> Counter[str]:
    """One line for each process, interface, namespace, rule, file and living row. What goes while we look is looked at
    again by whoever waits for its end."""
    return traces_of_node(cloud.host, cloud.state) + Counter(_rows(cloud.state / "cumulet.db"))


def traces_of_node(host: Host, state: Path) -> Counter[str]:
    """Those of one node, which keeps its things in this directory of this host."""
    return Counter([*_processes(host), *_networks(host), *_files(state / "node")])


def traces_of_any_node(host: Host, state: Path) -> Counter[str]:
    """Those of a node, whatever its namespace is called: one that carries nothing is like any other."""
    found = traces_of_node(host, state)
    return Counter(re.sub(r"\bcml[0-9a-f]{5}\b", "node", line) for line in found.elements())


def settled_traces(cloud: Cloud) -> Counter[str]:
    """Those of a cloud whose nodes are known with what they offer, and have done all that was ordered."""
    unfinished = (
        "SELECT count(*) FROM fleet_assignments WHERE observed <> generation",
        "SELECT count(*) FROM fleet_nodes WHERE name NOT IN (SELECT host FROM network_offers)",
    )

    def settled() -> bool:
        with sqlite3.connect(f"file:{cloud.state}/cumulet.db?mode=ro", uri=True, timeout=10) as connection:
            return all(connection.execute(count).fetchone()[0] == 0 for count in unfinished)

    eventually("the nodes have done their orders", settled)
    return traces(cloud)


def nothing_is_left(cloud: Cloud, before: Counter[str], seconds: float = 20.0) -> None:
    """Fails, naming them, when traces remain that were not there before."""
    ends_as(lambda: traces(cloud), before, seconds)


def ends_as(look: Callable[[], Counter[str]], before: Counter[str], seconds: float = 20.0) -> None:
    """Fails, naming them, when what is looked at does not come down to what was before."""
    deadline = time.monotonic() + seconds
    while left := look() - before:
        assert time.monotonic() < deadline, "left behind:\n" + "\n".join(sorted(left.elements()))
        time.sleep(0.2)


def _processes(host: Host) -> list[str]:
    lines = host.processes().values()
    return [f"process {' '.join(argv)[:200]}" for argv in lines if Path(argv[0]).name in GUEST_PROGRAMS]


def _networks(host: Host) -> list[str]:
    names = host.run("ls", "/run/netns").split()
    found = [f"namespace {name}" for name in names]
    for name in names:
        links = LINK.findall(host.run("ip", "-n", name, "-o", "link", check=False))  # the namespace may go meanwhile
        found += [f"link {name} {link}" for link in links]
        rules = host.run("ip", "netns", "exec", name, "nft", "-s", "list", "ruleset", check=False).splitlines()
        found += [f"rule {name} {line.strip()}" for line in rules if line.strip() not in ("", "}")]
    return found


def _files(folder: Path) -> list[str]:
    skipped = ("images", "hypervisor.json")
    inside = [path.relative_to(folder) for path in folder.rglob("*")]
    return [
        f"file {path}"
        for path in inside
        if path.parts[0] not in skipped and path.name not in ("held.json", "instances", "copies", "keepalived")
    ]


def _rows(database: Path) -> list[str]:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=10) as connection:
        connection.row_factory = sqlite3.Row
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        found = [
            f"{table} {_name(row)}"
            for table in tables
            if not HISTORY.fullmatch(table)
            for row in _living(connection, table)
        ]
        usages = connection.execute("SELECT * FROM quota_usages").fetchall()
    return found + [f"usage {tuple(row)}" for row in usages if row["used"]]


def _living(connection: sqlite3.Connection, table: str) -> list[sqlite3.Row]:
    # What is not so any more is kept for nodes that were told it was, for a number of changes.
    living = " WHERE NOT gone" if table == "fleet_notices" else ""
    rows = connection.execute(f'SELECT * FROM "{table}"{living}').fetchall()
    return [row for row in rows if not ("deleted_at" in row.keys() and row["deleted_at"])]  # noqa: SIM118


def _name(row: sqlite3.Row) -> str:
    keys = [key for key in ("id", "kind", "key", "name", "consumer_id", "gone") if key in row.keys()]  # noqa: SIM118
    return " ".join(f"{key}={row[key]}" for key in keys) or str(tuple(row))[:200]
