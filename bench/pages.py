"""What a page of servers costs when there are many: it should not matter how many.

Usage: python bench/pages.py [--servers N …]

One server is made by the API; the others are copies of its row, since only reading is measured.
"""

from __future__ import annotations

import argparse
import sqlite3
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench.api import Cloud, project

PAGE = 50
TIMES = 100
QUESTIONS = (
    f"servers?limit={PAGE}",
    f"servers/detail?limit={PAGE}",
    f"servers/detail?limit={PAGE}&all_tenants=1",
    f"servers/detail?limit={PAGE}&sort_key=display_name&sort_dir=desc",
    f"servers/detail?limit={PAGE}&status=BUILD",
)
PLACES = {"first": 0.0, "middle": 0.5, "late": 0.9}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, nargs="+", default=[1000, 10_000, 100_000])
    counts = parser.parse_args().servers
    cloud = Cloud("")
    try:
        known = first(cloud)
        for count in sorted(counts):
            fill(cloud, known, count)
            for question in QUESTIONS:
                found = {place: cost(cloud, question, marker(count, share)) for place, share in PLACES.items()}
                words = ", ".join(f"{place} page {ms:.2f} ms" for place, ms in found.items())
                print(f"{count} servers, GET /{question}: {words} CPU")
    finally:
        cloud.end()


def first(cloud: Cloud) -> str:
    """A server that is not active, so that no node looks after its copies; its id."""
    image = cloud.call("GET", "/image/v2/images")["images"][0]["id"]
    project(cloud)
    server = {"name": "s", "imageRef": image, "flavorRef": "42", "networks": "none"}
    versioned = {"OpenStack-API-Version": "compute 2.37"}
    made = cloud.call("POST", "/compute/v2.1/servers", {"server": server}, **versioned)["server"]
    return str(made["id"])


def copy_id(number: int) -> str:
    return f"{number:08x}-0000-4000-8000-{number:012x}"


def marker(count: int, share: float) -> str:
    """Lists begin with the newest, which has the highest number."""
    return copy_id(count - int(count * share)) if share else ""


def fill(cloud: Cloud, known: str, count: int) -> None:
    """As many copies as are wanted and not there yet."""
    database = sqlite3.connect(cloud.state / "cumulet.db", timeout=60)
    with database:
        columns = [row[1] for row in database.execute("PRAGMA table_info(compute_servers)")]
        values = {
            "id": "printf('%08x-0000-4000-8000-%012x', n, n)",
            "created_at": "created_at + n",
            "name": "printf('s%08d', n)",
            "updated_at": "updated_at + n",
            "unsettled": "0",
        }
        chosen = ", ".join(values.get(name, name) for name in columns)
        (there,) = database.execute("SELECT count(*) FROM compute_servers WHERE id != ?", (known,)).fetchone()
        database.execute(
            f"WITH RECURSIVE numbers(n) AS (SELECT ? UNION ALL SELECT n + 1 FROM numbers WHERE n < ?)"
            f" INSERT INTO compute_servers ({', '.join(columns)})"
            f" SELECT {chosen} FROM compute_servers, numbers WHERE id = ?",
            (there + 1, count, known),
        )
    database.close()
    cloud.rest()


def cost(cloud: Cloud, question: str, after: str) -> float:
    """CPU of the API process for one page, in ms."""
    path = f"/compute/v2.1/{question}" + (f"&marker={after}" if after else "")

    def look(_: int) -> None:
        assert len(cloud.call("GET", path)["servers"]) == PAGE

    return cloud.each(TIMES, look)


if __name__ == "__main__":
    main()
