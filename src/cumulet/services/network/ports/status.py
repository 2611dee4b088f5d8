"""From a port's wish and facts to the status that is shown. Pure; run at every write of either."""

from __future__ import annotations

from cumulet.services.network.ports.row import DHCP, PortRow


def status_of(row: PortRow) -> str:
    """ACTIVE: wired and wanted so. BUILD: on its way. DOWN: nobody needs it, or its device is off."""
    if not row.admin_up:
        return "DOWN"
    if row.up:
        return "ACTIVE"
    if row.device_owner == DHCP or not row.host:
        return "DOWN"
    return "BUILD" if row.unsettled else "DOWN"
