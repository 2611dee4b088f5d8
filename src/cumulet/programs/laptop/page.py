"""What `up` and `status` print: where the cloud is, how to get in, what to type next."""

from __future__ import annotations

import os
from pathlib import Path

from cumulet.programs.laptop.mode import Choice
from cumulet.programs.settings import Settings


def page(settings: Settings, choice: Choice, password: str, clouds: Path, client: str) -> str:
    """The whole page. `client` is the path of the `openstack` command."""
    config = "" if clouds == _default_place() else f"export OS_CLIENT_CONFIG_FILE={clouds}\n    "
    lines = [
        "",
        f"  Cumulet runs at    {settings.url}",
        f"  User, password     admin  {password}",
        f"  Clients read       {clouds}  (clouds 'cumulet' and 'cumulet-demo')",
        f"  State and logs     {settings.state}",
        f"  Mode               {choice.mode}: {choice.reason}",
    ]
    if choice.remedy:
        lines.append(f"                     for real servers: {choice.remedy}")
    lines += [
        "",
        "  Next:",
        "",
        f"    {config}export OS_CLOUD=cumulet",
        f"    {client} image list",
        f"    {client} server create --image tiny --flavor m1.tiny --network private --wait vm1",
        "",
        f"  {how_to_log_in(settings, client)}",
        "",
    ]
    return "\n".join(lines)


def how_to_log_in(settings: Settings, client: str) -> str:
    """Commands as they can be typed: with their path, and with the state where it is not the usual one."""
    cumulet = str(Path(client).with_name("cumulet")) if "/" in client else "cumulet"
    state = "" if settings.state == Settings().state else f" --state {settings.state}"
    if settings.mode == "real":
        return f"Log in to a server by its floating IP: ssh cirros@ADDRESS, or: {cumulet} ssh{state} vm1"
    if settings.mode == "rootless":
        return (
            f"Floating IPs live in a network of their own; log in with: {cumulet} ssh{state} vm1, or:\n"
            f"  ssh -o ProxyCommand='{cumulet} ssh{state} --raw %h' cirros@ADDRESS"
        )
    return f"Servers are simulated; what one would print: {client} console log show vm1"


def _default_place() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(base) / "openstack" / "clouds.yaml"
