"""`/healthcheck` and `/metrics`: for load balancers and for Prometheus."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from cumulet.core.db import Database, Query
from cumulet.core.reconcile import Loop
from cumulet.core.web.request import Receive, Response, Scope, Send

log = logging.getLogger("cumulet.serve")


class Healthcheck:
    """Answers 200 while the database answers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        import sqlalchemy as sa

        try:
            async with self._database.read() as tx:
                await tx.scalar(Query(sa.select(sa.literal_column("1"))))
        except Exception as error:
            # What the database says may name hosts and users: that is for the log, not for whoever asks.
            log.warning("the database does not answer: %s", error)
            await Response(503, b"the database does not answer", {"content-type": "text/plain"}).send(send)
            return
        await Response(200, b"OK", {"content-type": "text/plain"}).send(send, head=scope["method"] == "HEAD")


class Metrics:
    """Prometheus' text: what this process does. The library is loaded when somebody first asks."""

    def __init__(self, loops: Sequence[Loop]) -> None:
        self._loops = loops

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        lost = CounterMetricFamily(
            "cumulet_lost_wakes", "Keys that a sweep found and nobody had woken", labels=["topic"]
        )
        waiting = GaugeMetricFamily("cumulet_keys_waiting", "Keys that run or wait", labels=["topic"])
        for loop in self._loops:
            lost.add_metric([loop.reconciler.topic], loop.lost_wakes)
            waiting.add_metric([loop.reconciler.topic], loop.waiting)
        ours = _Families([lost, waiting])
        body = generate_latest(REGISTRY) + generate_latest(ours)  # type: ignore[arg-type]
        await Response(200, body, {"content-type": CONTENT_TYPE_LATEST}).send(send)


class _Families:
    """Metric families as a registry that can only be collected."""

    def __init__(self, families: Sequence[object]) -> None:
        self._families = families

    def collect(self) -> Sequence[object]:
        return self._families
