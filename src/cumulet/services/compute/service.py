"""Compute's manifest."""

from __future__ import annotations

from cumulet.core.web.dialects.compute import ComputeDialect
from cumulet.core.web.service import Service
from cumulet.services.compute.keypairs import keypairs
from cumulet.services.compute.versions import EARLIEST, LATEST


def service() -> Service:
    return Service(
        type="compute",
        name="nova",
        path="/compute",
        prefix="/v2.1",
        dialect=ComputeDialect(
            service="compute", header="X-OpenStack-Nova-API-Version", earliest=EARLIEST, latest=LATEST
        ),
        resources=[keypairs],
        project_in_path=True,
    )
