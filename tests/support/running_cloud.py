"""A whole cloud as a user starts it: `cumulet up` as a process of its own, for the official clients to talk to.

As a program it runs a command beside such a cloud: python -m tests.support.running_cloud COMMAND… In the command,
`{overrides}` stands for a file with settings of Tempest that suit this cloud.
"""

from __future__ import annotations

import configparser
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import yaml

from tests.support.certificates import signing_pair
from tests.support.image_web import ImageWeb, image_web
from tests.support.servers import free_port
from tests.support.started import answers, started

COMMAND = (str(Path(sys.executable).parent / "cumulet"), "up", "--simulate", "--foreground")
SETTINGS = """\
import_networks = ["127.0.0.0/8"]
import_ports = [80, 443, {port}]

[network.quotas]
router = 100

[identity]
lockout_attempts = 2
lockout_seconds = 10
password_history = 2
trusted_dashboards = ["{dashboard}"]

[identity.oidc.acme]
issuer = "{issuer}"
client_id = "cloud"
client_secret = "between the two"
audiences = ["cloud", "shell", "robot"]
introspection_endpoint = "{issuer}/introspect/"

[identity.saml]
key = "{folder}/signing.key"
certificate = "{folder}/signing.pem"

[identity.saml_providers.campus]
entity_id = "{campus}"
certificates = ["{folder}/signing.pem"]
sso_url = "{campus}/sso"

[identity.saml_providers.itself]
entity_id = "{url}/identity/v3/OS-FEDERATION/saml2/idp"
certificates = ["{folder}/signing.pem"]
audience_required = false

[image]
show_locations = true
show_direct_url = true
import_format = "raw"

[image.stores.fast]
type = "file"
description = "Near"
weight = 200

[image.stores.reliable]
type = "file"
weight = 100

[image.stores.web]
type = "http"

[volumes.backends.local]
type = "files"

[volumes.backends.share]
type = "nfs"
share = "192.0.2.5:/volumes"
"""
"""A cloud in which every talent of the image service shows, with two backends of volumes, whose accounts are locked and
whose passwords are remembered as Tempest wishes, and which believes an OpenID Connect provider, a SAML provider, and
itself as if it were another cloud. The latter two sign with one key."""
DASHBOARD = "https://dashboard.test/auth/websso/"
PATIENCE = Path(__file__).parents[1] / "compat" / "tempest.ini"


@dataclass(frozen=True, slots=True)
class RunningCloud:
    url: str
    clouds_yaml: Path
    log: Path
    web: ImageWeb
    """A web server that it reads images from."""
    issuer: str
    """The OpenID Connect provider whom it believes; nobody is there until a test starts one."""
    campus: str
    """The SAML provider."""
    folder: Path

    def overrides(self, file: Path) -> Path:
        """Settings of Tempest that nobody could find out by asking the cloud."""
        settings = configparser.ConfigParser()
        settings.read(PATIENCE)
        settings["image"].update(self.web.tempest_settings())
        with file.open("w") as output:
            settings.write(output)
        return file

    @property
    def password(self) -> str:
        clouds = yaml.safe_load(self.clouds_yaml.read_text())["clouds"]
        return str(clouds["cumulet"]["auth"]["password"])

    def environment(self) -> dict[str, str]:
        """How an official client finds this cloud, and no other that the user may have."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("OS_")}
        return {**kept, "OS_CLOUD": "cumulet", "OS_CLIENT_CONFIG_FILE": str(self.clouds_yaml)}


@contextmanager
def running_cloud(folder: Path, command: Sequence[str] = COMMAND) -> Iterator[RunningCloud]:
    """The cloud, from the moment on when it answers; it and all it started end with the block."""
    port = free_port()
    state, log, settings = folder / "state", folder / "cumulet.log", folder / "settings.toml"
    with image_web() as web:
        url, issuer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{free_port()}/o"
        campus = f"http://127.0.0.1:{free_port()}/saml"
        cloud = RunningCloud(
            url=url,
            clouds_yaml=state / "clouds.yaml",
            log=log,
            web=web,
            issuer=issuer,
            campus=campus,
            folder=folder,
        )
        key, certificate = signing_pair(datetime.now(UTC))
        (folder / "signing.key").write_bytes(key)
        (folder / "signing.pem").write_text(certificate)
        names = {"dashboard": DASHBOARD, "issuer": issuer, "campus": campus, "url": url, "folder": folder}
        settings.write_text(SETTINGS.format(port=web.port, **names))
        argv = [*command, "--state", state, "--port", str(port)]
        with started("cumulet", argv, log, environment={"CUMULET_CONFIG": str(settings)}) as running:
            running.wait_until(lambda: answers(f"{url}/healthcheck") and cloud.clouds_yaml.is_file())
            yield cloud


def main(command: Sequence[str]) -> int:
    with tempfile.TemporaryDirectory(prefix="cumulet-cloud-") as folder, running_cloud(Path(folder)) as cloud:
        overrides = cloud.overrides(Path(folder) / "tempest.ini")
        given = [word.replace("{overrides}", str(overrides)) for word in command]
        return subprocess.run(given, env=cloud.environment(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
