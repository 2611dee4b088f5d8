"""DevStack's local.conf."""

from __future__ import annotations

from pathlib import Path

from cumulet.programs.laptop.local_conf import read

COURSE = """
[[local|localrc]]
ADMIN_PASSWORD=secret
DATABASE_PASSWORD=$ADMIN_PASSWORD
# HOST_IP=10.9.9.9
HOST_IP = "127.0.0.2"
export FLOATING_RANGE=192.168.42.128/25   # the lab's
FIXED_RANGE='10.11.12.0/24'
NAME=${ADMIN_PASSWORD}-again
enable_plugin heat https://example.org/heat

[[post-config|$NOVA_CONF]]
[DEFAULT]
ADMIN_PASSWORD=other
"""


def test_what_means_something_here_is_taken_and_the_rest_is_named(tmp_path: Path) -> None:
    file = tmp_path / "local.conf"
    file.write_text(COURSE)

    settings, ignored = read(file)

    assert settings == {
        "admin_password": "secret",
        "host": "127.0.0.2",
        "floating_range": "192.168.42.128/25",
        "fixed_range": "10.11.12.0/24",
    }
    assert ignored == ["DATABASE_PASSWORD", "NAME"]


def test_a_localrc_of_old_has_no_sections(tmp_path: Path) -> None:
    file = tmp_path / "localrc"
    file.write_text("ADMIN_PASSWORD=base\nDATA_DIR=/srv/$ADMIN_PASSWORD\n")

    assert read(file) == ({"admin_password": "base", "state_dir": "/srv/base"}, [])
