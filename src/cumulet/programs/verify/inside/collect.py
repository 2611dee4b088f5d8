"""Runs in Tempest's virtual environment: turns the stream of its runner (stdin) into JSON lines (stdout)."""

from __future__ import annotations

import json
import sys
from typing import Any

import subunit  # type: ignore[import-not-found]
import testtools  # type: ignore[import-not-found]

KEPT_AT_EACH_END = 4000


def write(test: dict[str, Any]) -> None:
    began, ended = test.get("timestamps") or (None, None)
    record = {
        "id": test["id"],
        "status": test["status"],
        "details": {
            name: shortened(content.as_text())
            for name, content in (test.get("details") or {}).items()
            if name.startswith(("traceback", "reason"))
        },
        "seconds": (ended - began).total_seconds() if began and ended else None,
    }
    sys.stdout.write(json.dumps(record) + "\n")


def shortened(text: str) -> str:
    """The beginning says what was wrong, the end where; between them a schema may fill pages."""
    if len(text) <= 2 * KEPT_AT_EACH_END:
        return text
    return f"{text[:KEPT_AT_EACH_END]}\n[…]\n{text[-KEPT_AT_EACH_END:]}"


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
