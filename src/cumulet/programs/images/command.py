"""`cumulet image`: cloud images, built from this distribution's packages or fetched from their makers."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cumulet.programs.images.catalogue import CATALOGUE
from cumulet.programs.images.commands import BuildFailed
from cumulet.programs.images.download import DownloadFailed, get
from cumulet.programs.images.upload import UploadFailed, upload
from cumulet.programs.laptop import processes
from cumulet.programs.laptop.progress import step
from cumulet.programs.settings import Settings

state_option = click.option("--state", type=click.Path(path_type=Path), help="The directory that holds the cloud.")
upload_option = click.option("--upload", "into_cloud", is_flag=True, help="Bring it into the running cloud as well.")
name_option = click.option("--name", help="The image's name in the cloud.")


@click.group()
def image() -> None:
    """Build or download cloud images.

    Any image of an OpenStack cloud will do: openstack image create --disk-format qcow2 --file FILE NAME
    """


@image.command()
@state_option
@upload_option
@name_option
@click.argument("kind", type=click.Choice(["tiny", "debian"]))
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False), required=False)
def build(kind: str, file: Path | None, state: Path | None, into_cloud: bool, name: str | None) -> None:
    """Build an image into FILE (KIND.qcow2 unless told otherwise) from this distribution's packages.

    'tiny' takes seconds and 19 MiB: busybox with DHCP, SSH keys and user data; its user is cirros. 'debian' takes
    minutes: a whole Debian with cloud-init; its user is debian.
    """
    destination = (file or Path(f"{kind}.qcow2")).absolute()
    cloud = processes.of_cloud(state) if into_cloud else None
    try:
        if kind == "tiny":
            from cumulet.programs.images import tiny

            tiny.build(destination, _tell)
        else:
            from cumulet.programs.images import debian

            debian.build(destination, _tell)
    except BuildFailed as error:
        sys.exit(f"cumulet: {error}")
    if cloud is not None:
        _upload(cloud, name or kind, destination)


@image.command("get")
@state_option
@upload_option
@name_option
@click.option("--folder", type=click.Path(path_type=Path, file_okay=False), default=Path(), help="Where to put it.")
@click.argument("image_name", metavar="NAME", type=click.Choice(list(CATALOGUE)))
def get_image(image_name: str, folder: Path, state: Path | None, into_cloud: bool, name: str | None) -> None:
    """Download a well-known image, verified by its maker's digest. One that broke off goes on where it stopped."""
    cloud = processes.of_cloud(state) if into_cloud else None
    known = CATALOGUE[image_name]
    try:
        with step(f"Downloading {known.title}"):
            file = get(image_name, folder)
    except DownloadFailed as error:
        sys.exit(f"cumulet: {error}")
    click.echo(f"{file}: {known.title}; log in as {known.user}")
    if cloud is not None:
        _upload(cloud, name or image_name, file)


@image.command("list")
def list_images() -> None:
    """List the images that 'get' knows."""
    for known in CATALOGUE.values():
        click.echo(f"{known.name:14} {known.title:30} user {known.user}")


def _upload(cloud: Settings, name: str, file: Path) -> None:
    try:
        with step(f"Uploading {file.name}"):
            image_id = upload(cloud, name, file)
    except UploadFailed as error:
        sys.exit(f"cumulet: {error}")
    click.echo(f"The cloud has it as {name}: {image_id}")


def _tell(what: str) -> None:
    click.echo(what, err=True)
