"""Programs that tests start: each ends with its `with` block, and with the test run even when that is killed."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

START_LIMIT = 120.0
STOP_LIMIT = 60.0


class DidNotStart(Exception):
    """Says which program it was, and the end of what it printed."""


@dataclass(frozen=True, slots=True)
class Started:
    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def wait_until(self, ready: Callable[[], bool]) -> None:
        """Raises DidNotStart when it ends first, or takes too long."""
        deadline = time.monotonic() + START_LIMIT
        while not ready():
            code = self.process.poll()
            if code is not None or time.monotonic() > deadline:
                why = f"ended with code {code}" if code is not None else f"was not ready after {START_LIMIT:.0f} s"
                raise DidNotStart(f"{self.name} {why}:\n{self.log.read_text(errors='replace')[-4000:]}")
            time.sleep(0.02)


@contextmanager
def started(
    name: str,
    command: Sequence[str | Path],
    log: Path,
    *,
    ending: str = "TERM",
    folder: Path | None = None,
    environment: Mapping[str, str] | None = None,
    identity: Sequence[str] = (),
) -> Iterator[Started]:
    """The program, which need not be ready yet. `ending`: the signal that ends it, by fair means TERM, else KILL;
    `environment` comes on top of ours; `identity`: options of setpriv that say as whom it runs."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", ending, *identity, *map(str, command)],
            cwd=folder,
            env={**os.environ, **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        yield Started(name, process, log)
    finally:
        if ending == "TERM":
            process.terminate()
        else:
            process.kill()
        try:
            process.wait(STOP_LIMIT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_LIMIT)


def answers(url: str) -> bool:
    """Whether a server says there that all is well."""
    with suppress(URLError, OSError), urlopen(url, timeout=2) as answer:
        return bool(answer.status == 200)
    return False
