"""Progress on everything that takes longer than a second: moving on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

TICK = 0.1


@contextmanager
def step(label: str) -> Iterator[None]:
    """Show what is going on and how long it has taken."""
    began = time.monotonic()
    over = threading.Event()
    terminal = sys.stderr.isatty()

    def tick() -> None:
        while not over.wait(TICK):
            if terminal:
                sys.stderr.write(f"\r{label} … {time.monotonic() - began:.0f} s ")
                sys.stderr.flush()

    ticker = threading.Thread(target=tick, daemon=True)
    ticker.start()
    outcome = "failed"
    try:
        yield
        outcome = "done"
    finally:
        over.set()
        ticker.join()
        start = "\r" if terminal else ""
        sys.stderr.write(f"{start}{label} … {outcome} ({time.monotonic() - began:.1f} s)\n")
