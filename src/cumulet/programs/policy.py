"""`cumulet policy`: who may do what in this cloud, and whether the operator's files can be used."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

import click

from cumulet.core.access.policy_file import PolicyFileError, PolicyFiles
from cumulet.core.access.rules import Rules, RuleText
from cumulet.programs.settings import Settings, load

ROOMS = ("identity", "placement", "image", "network", "block_storage", "compute")

state_option = click.option("--state", type=click.Path(path_type=Path), help="The directory that holds the cloud.")


def defaults(room: str) -> Mapping[str, RuleText]:
    """The rules that a service has of its own."""
    found: Mapping[str, RuleText] = import_module(f"cumulet.services.{room}.policies").DEFAULTS
    return found


def folder(settings: Settings, room: str) -> Path:
    """Where the operator's policy files of a service are."""
    return settings.state / "policy" / room


def read(settings: Settings, room: str) -> PolicyFiles:
    """A service's rules with the operator's over them. Raises PolicyFileError."""
    return PolicyFiles(Rules(defaults(room)), folder(settings, room))


@click.group()
def policy() -> None:
    """List the rules in force, or check the policy files.

    The files of a service are policy/SERVICE/policy.yaml in the cloud's directory, and those of policy/SERVICE/policy.d
    after it, in the format of every OpenStack cloud; a running cloud follows them within seconds. An example, in
    policy/compute/policy.yaml:

    \b
      "os_compute_api:servers:create": "role:member and not user_name:guest"
    """


@policy.command("list")
@state_option
@click.option("--changed", is_flag=True, help="Only the rules that the policy files change.")
@click.argument("room", required=False, type=click.Choice(ROOMS), metavar="[SERVICE]")
def list_rules(state: Path | None, changed: bool, room: str | None) -> None:
    """Show the rules in force, of one SERVICE or of all; a changed rule with its default."""
    settings = load({"state_dir": str(state.absolute()) if state else None}, os.environ)
    for name in [room] if room else ROOMS:
        try:
            overrides = read(settings, name).overrides
        except PolicyFileError as error:
            sys.exit(f"cumulet: the policy of {name} cannot be used:\n{error}")
        for line in lines(name, defaults(name), overrides, changed=changed):
            click.echo(line)


@policy.command()
@state_option
def check(state: Path | None) -> None:
    """Read the policy files as the services would; say what is wrong, where, and what would do. Exits 1 then."""
    settings = load({"state_dir": str(state.absolute()) if state else None}, os.environ)
    problems = 0
    for room in ROOMS:
        try:
            files = read(settings, room)
        except PolicyFileError as error:
            problems += len(error.problems)
            for problem in error.problems:
                click.echo(f"{room}: {problem}", err=True)
            continue
        for warning in files.warnings:
            click.echo(f"{room}: {warning}")
        click.echo(f"{room}: {len(files.overrides)} of {len(files.rules.defaults)} rules changed")
    if problems:
        sys.exit(1)


def lines(
    room: str, defaults: Mapping[str, RuleText], overrides: Mapping[str, RuleText], *, changed: bool = False
) -> list[str]:
    """One line a rule, in the order of their names; a changed one has its default beneath. Pure."""
    found = []
    for name in sorted({*defaults, *overrides}):
        if name in overrides:
            found.append(f'{room}  "{name}": {_shown(overrides[name])}')
            default = _shown(defaults[name]) if name in defaults else "none; this service does not ask for it"
            found.append(f"{room}    by default: {default}")
        elif not changed:
            found.append(f'{room}  "{name}": {_shown(defaults[name])}')
    return found


def _shown(text: RuleText) -> str:
    return f'"{text}"' if isinstance(text, str) else str(text)
