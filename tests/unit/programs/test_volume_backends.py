"""The backends of volumes, from the settings file to their drivers, and what the doctor says of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from cumulet.contracts.backends import Terms
from cumulet.contracts.machines import VolumeConnection
from cumulet.drivers.hypervisor.base import Unfit
from cumulet.drivers.volume.files.exports import Exports
from cumulet.drivers.volume.files.holders import Holders
from cumulet.node.volumes.backends import Backends
from cumulet.programs import volume_backends
from cumulet.programs.doctor.volumes import nfs
from cumulet.programs.laptop import processes
from cumulet.programs.settings import Settings, SettingsError, load
from cumulet.programs.simulated_volumes import VolumeWorlds, Worlds
from cumulet.programs.volume_backends import Surroundings
from tests.support.supplies import Vault
from tests.support.volume_drivers import MAPLE, OneImage

BACKENDS = """
[volumes.backends.local]
type = "files"

[volumes.backends.fast]
type = "files"
backend_name = "gold"
reserved_percentage = 10
max_over_subscription_ratio = 2.5
filter_function = "volume.size < 100"
capabilities = { disk = "ssd" }

[volumes.backends.share]
type = "nfs"
share = "192.0.2.5:/export"

[volumes.weighers]
VolumeNumberWeigher = -1.0
"""


def settings_of(folder: Path, text: str) -> Settings:
    file = folder / "cumulet.toml"
    file.write_text(text)
    return load({"state_dir": str(folder / "state")}, {}, file)


def made(folder: Path, settings: Settings) -> Backends:
    around = Surroundings(
        folder=folder,
        node="one",
        images=OneImage(folder),
        supplies=Vault(),
        machines=Holders(),
        exports=Exports(folder / "exports", ""),
        user=None,
    )
    return volume_backends.make(settings.volumes, around)


def names(backends: Backends) -> Sequence[tuple[str, str]]:
    return [(name, driver.name) for name, driver in backends.items()]


async def test_without_settings_there_is_one_and_it_is_where_it_was(tmp_path: Path) -> None:
    backends = made(tmp_path, settings_of(tmp_path, ""))
    assert names(backends) == [("local", "files")]
    assert backends.path(VolumeConnection(volume_id=MAPLE)) == f"{tmp_path}/volumes/{MAPLE}.qcow2"
    [facts] = await backends.facts()
    assert (facts.name, facts.pool, facts.storage.driver, facts.terms) == ("local", "local", "files", Terms())


async def test_each_backend_has_its_driver_its_place_and_its_terms(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, BACKENDS)
    assert settings.volumes.weighers == {"VolumeNumberWeigher": -1.0}
    backends = made(tmp_path, settings)
    assert names(backends) == [("local", "files"), ("fast", "files"), ("share", "nfs")]
    fast = VolumeConnection(volume_id=MAPLE, backend="fast")
    assert backends.path(fast) == f"{tmp_path}/backends/fast/volumes/{MAPLE}.qcow2"
    share = VolumeConnection(volume_id=MAPLE, backend="share", shared=True)
    assert backends.path(share) == f"{tmp_path}/mounts/share/volumes/{MAPLE}.qcow2"
    with pytest.raises(Unfit):
        backends.path(VolumeConnection(volume_id=MAPLE, backend="slow"))
    processes.keep(settings)
    assert load({}, {}, processes.settings_file(settings.state)) == settings


async def test_a_backend_that_breaks_or_says_nothing_is_told_so(tmp_path: Path) -> None:
    class Silent:
        name = "silent"

        async def about(self) -> None:
            raise OSError(5, "Input/output error")

    backends = Backends({"gone": Silent()})  # type: ignore[dict-item]
    [facts] = await backends.facts()
    assert (facts.storage.driver, facts.storage.fault) == ("silent", "it cannot be used: Input/output error")


def test_simulated_nodes_share_what_pretends_to_be_shared(tmp_path: Path) -> None:
    settings, shared = settings_of(tmp_path, BACKENDS), Worlds()
    one, two = VolumeWorlds(settings.volumes, shared), VolumeWorlds(settings.volumes, shared)
    assert one.worlds["share"] is two.worlds["share"]
    assert one.worlds["local"] is not two.worlds["local"]
    assert list(VolumeWorlds().worlds) == ["local"]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('[volumes.backends.Fast]\ntype = "files"', "volumes.backends.Fast"),
        ('[volumes.backends.x]\ntype = "tape"', "tape"),
        ('[volumes.backends.x]\ntype = "files"\ncolour = "red"', "colour"),
        ('[volumes.backends.x]\ntype = "files"\nbackend_name = "a#b"', "volumes.backends.x.backend_name"),
        ('[volumes.backends.x]\ntype = "files"\nreserved_percentage = 101', "volumes.backends.x.reserved_percentage"),
        ('[volumes.backends.x]\ntype = "files"\nmax_over_subscription_ratio = 0.5', "max_over_subscription_ratio"),
        ('[volumes.backends.x]\ntype = "files"\nfilter_function = "1 +"', "volumes.backends.x.filter_function"),
        ('[volumes.backends.x]\ntype = "files"\ngoodness_function = "("', "volumes.backends.x.goodness_function"),
        ('[volumes.backends.x]\ntype = "nfs"', "share"),
        ('[volumes.backends.x]\ntype = "nfs"\nshare = "nowhere"', "volumes.backends.x.share"),
        ('[volumes.backends.x]\ntype = "nfs"\nshare = "-o:/x y"', "volumes.backends.x.share"),
        ('[volumes.backends.x]\ntype = "nfs"\nshare = "h:/x"\noptions = "rw -t tmpfs"', "volumes.backends.x.options"),
        ("[volumes.weighers]\nColourWeigher = 1.0", "ColourWeigher"),
    ],
)
def test_what_cannot_be_used_is_refused_by_its_name(tmp_path: Path, text: str, word: str) -> None:
    with pytest.raises(SettingsError, match=word.replace(".", r"\.")):
        settings_of(tmp_path, text)


def test_what_the_doctor_says_of_a_share() -> None:
    assert nfs("share", "", 0).works
    assert not nfs("share", "", 1000).works
    finding = nfs("share", "not found: mount.nfs", 0)
    assert (finding.name, finding.works, finding.remedy) == ("Backend share", False, "apt-get install nfs-common")
