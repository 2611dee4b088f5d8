"""The addresses of a port: as they are asked for, and as its row and its view show them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from cumulet.services.network.errors import InvalidInput


class Wanted(msgspec.Struct, frozen=True):
    """An address that a port is to have: this one, or any of a subnet."""

    subnet_id: str = ""
    ip: str = ""


class Given(msgspec.Struct, frozen=True):
    """An address that a port has, as the view shows it."""

    subnet_id: str
    ip_address: str


def text_of(given: Sequence[Given]) -> str:
    return msgspec.json.encode(given).decode()


def given_of(text: str) -> list[Given]:
    return msgspec.json.decode(text, type=list[Given])


def refuse_too_many(most: int, wanted: Sequence[Wanted] | None, device_owner: str) -> None:
    """Raise for more than may be asked for. Those that a host makes itself in further subnets nobody asked for."""
    if wanted and len(wanted) > most and not device_owner.startswith("network:"):
        raise InvalidInput(f"Exceeded maximum amount of fixed ips per port ({most}).")


def wanted_addresses(given: Sequence[Mapping[str, Any]] | None) -> list[Wanted] | None:
    """Addresses as they were asked for; None: whatever there is. Raises InvalidInput."""
    if given is None:
        return None
    wanted = [Wanted(entry.get("subnet_id") or "", entry.get("ip_address") or "") for entry in given]
    for entry in wanted:
        if not entry.subnet_id and not entry.ip:
            raise InvalidInput("Invalid input for fixed_ips. Reason: IP allocation requires subnet_id or ip_address.")
        if entry.ip and wanted.count(entry) > 1:
            raise InvalidInput(f"Invalid input for fixed_ips. Reason: Duplicate IP address '{entry.ip}'.")
    return wanted
