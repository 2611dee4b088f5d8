"""What machines here cannot have is found in flavors and images; what asks for nothing is let pass."""

from __future__ import annotations

import pytest

from cumulet.services.compute.servers.promises import unkept_by_flavor, unkept_by_image


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cpu_policy", "dedicated"), ("cpu_policy", "mixed"), ("numa_nodes", "2"), ("mem_page_size", "large"),
        ("mem_page_size", "1GB"), ("mem_encryption", "True"), ("tpm_version", "2.0"), ("cpu_realtime", "yes"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_named(name: str, value: str) -> None:
    assert unkept_by_flavor({f"hw:{name}": value}).startswith(f"hw:{name} {value.lower()}: ")
    assert unkept_by_image({f"hw_{name}": value}).startswith(f"hw_{name} {value.lower()}: ")


@pytest.mark.parametrize(
    "specs",
    [
        {}, {"hw:cpu_policy": "shared"}, {"hw:numa_nodes": "1"}, {"hw:mem_page_size": "any"},
        {"hw_rng:allowed": "true"}, {"hw:mem_encryption": "false"}, {"trait:HW_CPU_X86_AVX": "required"},
    ],
)  # fmt: skip
def test_what_asks_for_nothing_passes(specs: dict[str, str]) -> None:
    assert unkept_by_flavor(specs) == ""
    assert unkept_by_image({name.replace("hw:", "hw_"): value for name, value in specs.items()}) == ""


def test_devices_of_hosts_stay_theirs() -> None:
    assert "pci_passthrough:alias" in unkept_by_flavor({"pci_passthrough:alias": "gpu:1"})
