"""Runs in Tempest's virtual environment: turns the stream of its runner (stdin) into JSON lines (stdout)."""

from __future__ import annotations

import json
import sys
from typing import Any

import subunit  # type: ignore[import-not-found]
import testtools  # type: ignore[import-not-found]

LONGEST_DETAIL = 6000


def write(test: dict[str, Any]) -> None:
    began, ended = test.get("timestamps") or (None, None)
    record = {
        "id": test["id"],
        "status": test["status"],
        "details": {
            name: content.as_text()[-LONGEST_DETAIL:]
            for name, content in (test.get("details") or {}).items()
            if name.startswith(("traceback", "reason"))
        },
        "seconds": (ended - began).total_seconds() if began and ended else None,
    }
    sys.stdout.write(json.dumps(record) + "\n")


def main() -> None:
    tests = testtools.StreamToDict(write)
    stream = subunit.ByteStreamToStreamResult(sys.stdin.buffer, non_subunit_name="stdout")
    tests.startTestRun()
    try:
        stream.run(tests)
    finally:
        # What was running when the stream broke off is told too.
        tests.stopTestRun()


if __name__ == "__main__":
    main()
