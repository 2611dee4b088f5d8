"""The stores of images, from the settings file to their drivers."""

from __future__ import annotations

from pathlib import Path

import pytest

from cumulet.drivers.image_store.files import FileImageStore
from cumulet.programs import image_stores
from cumulet.programs.laptop import processes
from cumulet.programs.settings import Settings, SettingsError, load


def settings_of(folder: Path, text: str) -> Settings:
    file = folder / "cumulet.toml"
    file.write_text(text)
    return load({"state_dir": str(folder / "state")}, {}, file)


def test_without_settings_there_is_one_directory(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, "")
    stores = image_stores.make(settings.image, settings.state)
    assert (list(stores.drivers), stores.web) == (["file"], "")
    assert (tmp_path / "state" / "images").is_dir()


def test_stores_are_named_and_the_default_comes_first(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        f"""
        [image]
        default_store = "near"
        show_locations = true
        [image.stores.far]
        type = "file"
        path = "{tmp_path}/far"
        [image.stores.web]
        type = "http"
        [image.stores.near]
        type = "file"
        description = "Fast disks"
        weight = 7
        """,
    )
    stores = image_stores.make(settings.image, settings.state)
    assert (list(stores.drivers), stores.web) == (["near", "far"], "web")
    assert all(isinstance(driver, FileImageStore) for driver in stores.drivers.values())
    assert (stores.offers["near"].description, stores.offers["near"].weight) == ("Fast disks", 7)
    assert stores.offers["far"].properties == {"data_dir": f"{tmp_path}/far"}
    assert (tmp_path / "far" / "images").is_dir()


def test_what_is_in_force_is_kept_for_later_commands(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, '[image.stores]\nnear = {type = "file"}\nweb = {type = "http", weight = 2}\n')
    processes.keep(settings)
    assert load({}, {}, processes.settings_file(settings.state)) == settings


def test_stores_over_a_network_show_how_they_are_reached_and_no_secrets(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path,
        """
        [image.stores.cloud]
        type = "s3"
        url = "http://127.0.0.1:9000"
        bucket = "pictures"
        access_key = "key"
        secret_key = "hush"
        [image.stores.swift]
        type = "swift"
        auth_url = "http://127.0.0.1:5000/v3/"
        container = "pictures"
        username = "glance"
        password = "hush"
        project = "service"
        [image.stores.ceph]
        type = "rbd"
        pool = "pictures"
        """,
    )
    stores = image_stores.make(settings.image, settings.state)
    assert [(driver.name, driver.distant) for driver in stores.drivers.values()] == [
        ("s3", True),
        ("swift", True),
        ("rbd", True),
    ]
    assert stores.offers["cloud"].properties["s3_store_bucket"] == "pictures"
    assert "hush" not in str(stores.offers)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[image.stores.x]\ntype = "tape"', "tape"),
        ('[image.stores.x]\ntype = "file"\nfolder = "/x"', "folder"),
        ("[image.stores.x]\nweight = 1", "type"),
        ('image.import_format = "tape"', "import_format"),
        ("image.cache_mib = -1", "cache_mib"),
        ('[image.stores.x]\ntype = "s3"\nurl = "http://h"\nbucket = "b"\naccess_key = "k"', "secret_key"),
        (
            '[image]\nstores.x = {type = "s3", url = "h", bucket = "b", access_key = "k", secret_key = "s"}',
            "stores.x.url",
        ),
        ('[image.stores."a,b"]\ntype = "file"', "a,b"),
        ('[image.stores.staging]\ntype = "file"', "staging"),
        ('[image.stores.web]\ntype = "http"', "takes data"),
        ('[backup]\ntype = "http"', "http"),
        ('[backup]\ntype = "file"\nfolder = "/x"', "folder"),
        (
            '[backup]\ntype = "s3"\nurl = "h"\nbucket = "b"\naccess_key = "k"\nsecret_key = "s"',
            "backup.url",
        ),
        ('[image.stores]\na = {type = "http"}\nb = {type = "http"}\nc = {type = "file"}', "more than one"),
        ('[image]\ndefault_store = "b"\n[image.stores.a]\ntype = "file"', "default_store"),
        ('[image]\ndefault_store = "w"\nstores = {a = {type = "file"}, w = {type = "http"}}', "default_store"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        settings_of(tmp_path, text)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("", "file"),
        ('[backup]\ntype = "file"', "file"),
        (
            '[backup]\ntype = "s3"\nurl = "http://127.0.0.1:9"\nbucket = "b"\naccess_key = "k"\nsecret_key = "s"',
            "s3",
        ),
        ('[backup]\ntype = "rbd"\npool = "backups"\nuser = "cinder"', "rbd"),
    ],
)
def test_backups_have_a_store_of_their_own(tmp_path: Path, text: str, name: str) -> None:
    settings = settings_of(tmp_path, text)
    assert image_stores.backups(settings.backup, tmp_path / "state").name == name
    assert (tmp_path / "state" / "backups").exists() == (name == "file")


def test_backups_lie_where_the_operator_wants_them(tmp_path: Path) -> None:
    settings = settings_of(tmp_path, f'[backup]\ntype = "file"\npath = "{tmp_path}/share"')
    image_stores.backups(settings.backup, tmp_path / "state")
    assert (tmp_path / "share").exists()
    assert not (tmp_path / "state").exists()
