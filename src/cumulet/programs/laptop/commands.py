"""`cumulet up`, `down`, `status`, `reset`, `ssh`."""

from __future__ import annotations

import errno
import http.client
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import click
import msgspec

from cumulet.programs.laptop import clouds_yaml, local_conf, mode, processes
from cumulet.programs.laptop.halt import halt
from cumulet.programs.laptop.page import page
from cumulet.programs.laptop.progress import step
from cumulet.programs.secrets import admin_password
from cumulet.programs.settings import Settings, SettingsError, load

ANSWER_SECONDS = 60.0
NODE_SECONDS = 60.0
LEAST_MEMORY_MIB, LEAST_DISK_GIB = 1024, 5

state_option = click.option("--state", type=click.Path(path_type=Path), help="The directory that holds the cloud.")


@click.command()
@state_option
@click.option("--simulate", is_flag=True, help="No real machines: a faithful simulated world, without root.")
@click.option("--rootless", is_flag=True, help="Real machines in namespaces of your own, without root.")
@click.option("--host", help="The address to listen on; 127.0.0.1 unless told otherwise.")
@click.option("--port", type=int, help="The port of everything; 5000 unless told otherwise.")
@click.option("--password", help="The administrator's password; made and kept if not given.")
@click.option("--floating-range", help="Addresses for the network 'public'; 172.24.4.0/24 unless told otherwise.")
@click.option("--fixed-range", help="Addresses for the network 'private'.")
@click.option("--database", help="postgresql://… or mysql://… instead of SQLite.")
@click.option("--bus", help="amqp://… instead of wake-ups inside one process.")
@click.option("--uplink/--no-uplink", default=None, help="Let guests reach the outside world through this host.")
@click.option("--image", type=click.Path(path_type=Path, exists=True), help="What 'tiny' is; else it is built.")
@click.option("--config", type=click.Path(path_type=Path), help="A TOML file of settings.")
@click.option("--local-conf", "devstack", type=click.Path(path_type=Path, exists=True), help="DevStack's local.conf.")
@click.option("--at-boot", is_flag=True, help="With systemd: start at every boot.")
@click.option("--foreground", is_flag=True, help="Stay, and stop the cloud when interrupted.")
def up(
    state: Path | None,
    simulate: bool,
    rootless: bool,
    image: Path | None,
    config: Path | None,
    devstack: Path | None,
    at_boot: bool,
    foreground: bool,
    **flags: Any,
) -> None:
    """Start a cloud on this machine and print how to use it. What runs already is left as it is.

    Later calls need no options: those of the first one are kept in the cloud's directory.
    """
    settings, choice = _settings(state, simulate, rootless, config, devstack, flags)
    directory = settings.state
    if processes.running(directory, "serve") is None:
        _refuse_taken_port(settings)
    processes.keep(settings)
    _warn_of_little(directory)
    password = admin_password(settings)
    if choice.mode != "simulate":
        _have_tiny_image(directory, image)
    _start(settings, choice)
    clouds = clouds_yaml.standard_place() if state is None else directory / "clouds.yaml"
    clouds_yaml.merge(clouds, clouds_yaml.entries(settings.url, settings.region, password))
    if at_boot:
        from cumulet.programs.laptop.boot import install

        install(settings)
    click.echo(page(settings, choice, password, clouds, _client()))
    if foreground:
        _stay(directory)


def _settings(
    state: Path | None,
    simulate: bool,
    rootless: bool,
    config: Path | None,
    devstack: Path | None,
    flags: dict[str, Any],
) -> tuple[Settings, mode.Choice]:
    if devstack is not None:
        ours, ignored = local_conf.read(devstack)
        flags = {**ours, **{name: value for name, value in flags.items() if value is not None}}
        if ignored:
            click.echo(f"local.conf: without effect here: {', '.join(ignored)}", err=True)
    flags["admin_password"] = flags.pop("password", None) or flags.get("admin_password")
    if state is not None:
        flags["state_dir"] = str(state.absolute())
    if simulate and rootless:
        raise click.UsageError("--simulate and --rootless exclude each other.")
    if simulate or rootless:
        flags["mode"] = "simulate" if simulate else "rootless"
    probe = load({k: v for k, v in flags.items() if k == "state_dir"}, os.environ)
    kept = processes.settings_file(probe.state)
    settings = load(flags, os.environ, config or (kept if kept.exists() else None))
    choice = mode.choose(settings.mode)
    if settings.mode == "rootless" and (obstacle := mode.rootless_obstacle()):
        raise click.ClickException(f"rootless does not work here: {obstacle.reason}. Remedy: {obstacle.remedy}")
    if kept.exists() and not (simulate or rootless):
        choice = mode.Choice(choice.mode, "as at the first start")
    if not settings.mode:
        settings = msgspec.structs.replace(settings, mode=choice.mode)
    return settings, choice


def _start(settings: Settings, choice: mode.Choice) -> None:
    state = settings.state
    if processes.running(state, "serve") is None:
        with step("Starting the API"):
            process = processes.start(settings, "serve")
            _wait_for_answer(settings, process)
    if choice.mode != "simulate" and processes.running(state, "node") is None:
        with step("Starting the node"):
            from cumulet.programs.laptop.rootless import prefix

            process = processes.start(settings, "node", prefix(settings) if choice.mode == "rootless" else ())
            _wait_for_node(state, process)


def _refuse_taken_port(settings: Settings) -> None:
    import socket

    with socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except socket.gaierror as error:
            raise SettingsError(f"host: {settings.host[:60]!r} is no address of this machine") from error
        except OSError as error:
            if error.errno == errno.EADDRNOTAVAIL:
                raise SettingsError(f"host: {settings.host[:60]!r} is no address of this machine") from error
            raise click.ClickException(
                f"port {settings.port} of {settings.host} cannot be used ({error.strerror}). "
                "Choose another one: cumulet up --port 5001"
            ) from error


def _wait_for_answer(settings: Settings, process: subprocess.Popen[bytes]) -> None:
    parts = urlsplit(f"http://{settings.host}:{settings.port}")
    deadline = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            _did_not_start(settings.state, "serve", f"ended with code {process.returncode}")
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=2)
        try:
            connection.request("GET", "/healthcheck")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.02)
    _did_not_start(settings.state, "serve", f"did not answer within {ANSWER_SECONDS:.0f} s")


def _wait_for_node(state: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + NODE_SECONDS
    ready = state / "run" / "node.ready"
    while not ready.exists() or processes.running(state, "node") is None:
        if process.poll() is not None:
            _did_not_start(state, "node", f"ended with code {process.returncode}")
        if time.monotonic() > deadline:
            _did_not_start(state, "node", f"was not ready within {NODE_SECONDS:.0f} s")
        time.sleep(0.05)


def _did_not_start(state: Path, program: str, why: str) -> None:
    log = processes.end_of_log(state, program)
    raise click.ClickException(f"{program} {why}. The end of {processes.log_of(state, program)}:\n{log}")


def _have_tiny_image(state: Path, given: Path | None) -> None:
    """The image that the cloud begins with. A cloud without one is still a cloud; the remedy is said."""
    image = state / "seed" / "tiny.qcow2"
    if image.exists():
        return
    image.parent.mkdir(parents=True, exist_ok=True)
    if given is not None:
        shutil.copyfile(given, image)
        return
    from cumulet.programs.images import tiny
    from cumulet.programs.images.commands import BuildFailed

    try:
        with step("Building the image 'tiny' from this distribution's packages"):
            tiny.build(image)
    except BuildFailed as error:
        click.echo(f"There is no image yet: {error}\nTry again when the packages can be had: cumulet up", err=True)


def _warn_of_little(state: Path) -> None:
    memory = os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2**20
    if memory < LEAST_MEMORY_MIB:
        click.echo(f"Only {memory} MiB of memory are free; a few small servers will fit, no more.", err=True)
    disk = shutil.disk_usage(state).free // 2**30
    if disk < LEAST_DISK_GIB:
        click.echo(f"Only {disk} GiB of disk are free; images and volumes need room.", err=True)


def _client() -> str:
    beside = Path(sys.executable).with_name("openstack")
    return str(beside) if beside.exists() else "openstack"


def _stay(state: Path) -> None:
    import signal

    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    try:
        while processes.running(state, "serve") is not None:
            time.sleep(0.5)
    except KeyboardInterrupt:
        pass
    finally:
        _stop(state)


def _stop(state: Path) -> list[str]:
    return [program for program in ("node", "serve") if processes.stop(state, program)]


@click.command()
@state_option
def down(state: Path | None) -> None:
    """Stop the cloud and its servers' machines; everything comes back with the next `up`."""
    settings = processes.of_cloud(state)
    ended = _stop(settings.state)
    if settings.mode != "simulate":
        with step("Stopping machines and networks"):
            halt(settings)
    click.echo(f"Stopped: {', '.join(ended)}." if ended else "Nothing was running.")


@click.command()
@state_option
def status(state: Path | None) -> None:
    """Show what runs."""
    settings = processes.of_cloud(state)
    for program in ("serve", "node"):
        if program == "node" and settings.mode == "simulate":
            continue
        pid = processes.running(settings.state, program)
        click.echo(f"{program:6} {'running as process ' + str(pid) if pid else 'not running; cumulet up starts it'}")
    choice = mode.Choice(settings.mode, "as at the first start")
    place = settings.state / "clouds.yaml"
    clouds = place if place.exists() else clouds_yaml.standard_place()
    click.echo(page(settings, choice, admin_password(settings), clouds, _client()))


@click.command()
@state_option
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(state: Path | None, yes: bool) -> None:
    """Stop the cloud and delete all of it: servers, volumes, images, users."""
    settings = processes.of_cloud(state)
    if not yes:
        click.confirm(f"Delete the whole cloud in {settings.state}?", abort=True)
    _stop(settings.state)
    if settings.mode != "simulate":
        halt(settings)
    shutil.rmtree(settings.state)
    click.echo("Deleted.")


@click.command()
@state_option
@click.option("--raw", is_flag=True, help="Only carry bytes to port 22, for ssh's ProxyCommand.")
@click.option("--user", default="cirros", help="Whom to log in as.")
@click.option(
    "-i", "--identity", type=click.Path(path_type=Path, exists=True), help="The private key, if not ssh's own."
)
@click.argument("server")
@click.argument("command", nargs=-1)
def ssh(state: Path | None, raw: bool, user: str, identity: Path | None, server: str, command: tuple[str, ...]) -> None:
    """Log in to SERVER (its name, id or an address)."""
    from cumulet.programs.laptop.login import log_in

    sys.exit(log_in(processes.of_cloud(state), server, user, command, raw=raw, identity=identity))
